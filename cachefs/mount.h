// A mount: a FUSE session, and behind it all roles in this process, called directly, or the servers of a cluster.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/links.h"
#include "core/result.h"

namespace forebay::cachefs {

struct MountOptions {
  std::string external;  // the external directory
  std::string mountpoint;
  std::vector<std::string> caches;        // cache directories; empty: a default one is chosen, if there is to be one
  std::vector<std::string> fuse_options;  // -o OPT
  Config config;
  std::vector<Link> links;  // of the configuration; in a cluster mgmtd knows them

  // A client of a cluster has no cache directory of its own.
  bool in_cluster() const { return config.cluster.mgmtd != "none"; }
};

// Checks everything that can be wrong with the options and touches nothing: directories exist and are directories,
// the mountpoint is empty and not inside the external directory or the cache (nor they inside it), /dev/fuse is there,
// the caller may mount. Resolves all paths to absolute ones in place and fills in the default cache directory.
// A dead forebay mount on the mountpoint (its process was killed) is detached first.
// Errors: one line that names what is wrong and where, with a fitting errno.
Status check_mount(MountOptions& options);

// Serves the mount until it is unmounted. `ready` is called once, when the tree is mounted and answers.
// Returns after all state is on disk; an error before `ready` means that nothing stays mounted; an error after it
// tells what could not be flushed at the end.
// A mount with cluster.mgmtd is a client of that cluster, see run_cluster_mount().
Status run_mount(const MountOptions& options, const std::function<void()>& ready);

// The same for a client: nothing is kept in this process, and nothing is flushed at its end.
Status run_cluster_mount(const MountOptions& options, const std::function<void()>& ready);

}  // namespace forebay::cachefs
