// Probes: one look at an external object.
#pragma once

#include <string>

#include "core/protocol/types.h"
#include "core/result.h"

namespace forebay::consistency {

// What a look at an external object shows.
struct Probe {
  Identity identity;
  Attributes attributes;
  Validator version;
  bool is_mount_root = false;  // another file system is mounted here
  uint64_t mount_id = 0;       // of the mount that it is seen in
  bool transient = false;      // there is no copy of its data outside; set by ExternalTree
};

// How fresh the answer must be, where the external file system is a client of a server.
enum class Freshness {
  kKnown,   // what the client knows, if it knows all: of a new object, from the answer to its making
  kUsual,   // as for any program
  kServer,  // from the server, past the client's attribute cache
};

// The inode number that applications see. Objects of other file systems must not share numbers with the root's.
inline uint64_t shown_number(const Identity& identity) {
  return identity.inode ^ (identity.device * 0x9e3779b97f4a7c15ull);
}

// Looks at `name` below the directory `fd` (O_PATH is enough) without following symlinks; an empty name means the
// object of `fd` itself. `link_device` is the st_dev of the link's root. Errors of statx(2). Thread safe.
Result<Probe> probe(int fd, const char* name, dev_t link_device, Freshness freshness = Freshness::kUsual);

}  // namespace forebay::consistency
