// MetaPeerService: what the metadata servers of a cluster ask of each other.
//
// Each owns directories, with the files that are in them (docs/architecture.md, "Several metadata servers"). All see
// the same external directory; what only the owner of an object can do (its locks, its copy, its row) is done by him.
// An operation on the objects of several travels from one to the next: each does its part around that of the next, and
// the last one makes the change outside.
//
// All calls are thread safe and block until done.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/protocol/types.h"
#include "core/result.h"

namespace forebay {

// What an owner knows of one of its objects.
struct ObjectPlaces {
  struct Place {
    InodeId parent = 0;
    std::string name;
  };
  InodeId id = 0;
  Identity identity;
  mode_t type = 0;  // S_IFMT
  bool transient = false;
  std::vector<Place> places;  // where it was seen; while it is being moved, both
  uint64_t changes = 0;       // grows with each move
};

struct OwnedObject {
  Identity identity;
  mode_t type = 0;  // S_IFMT
  uint32_t owner = 0;
  bool operator==(const OwnedObject&) const = default;
};

// On whose behalf: the session of the client, who need not be told of what he changes.
struct Requested {
  Caller caller;
  uint64_t session = 0;
};

struct RemoveStep {
  Requested by;
  InodeId parent = 0;
  std::string name;
  Identity identity;  // of what is to be removed
  bool directory = false;
};

struct LinkStep {
  Requested by;
  InodeId id = 0;
  InodeId parent = 0;
  std::string name;
};

struct RenameStep {
  Requested by;
  InodeId parent = 0;
  std::string name;
  InodeId new_parent = 0;
  std::string new_name;
  unsigned flags = 0;
  // What is at the two names, as far as there is something.
  std::optional<OwnedObject> moved, other;
  // The owner of the new directory has done what is his; now it is up to those of the objects. Who of them has not done
  // his part yet, in ascending order: so two renames never wait for each other.
  bool at_objects = false;
  std::vector<uint32_t> route;
};

class MetaPeerService {
 public:
  virtual ~MetaPeerService() = default;

  // Of an object that the server has: by its number, or, if that tells nothing any more, by its identity. ESTALE.
  // Waits for a server that does not answer for `limit`.
  virtual Result<ObjectPlaces> where(InodeId id, const Identity& identity, std::chrono::milliseconds limit) = 0;
  // Whether the server has an inode of that object.
  virtual Result<bool> has(const Identity& identity) = 0;
  // Who has a file with several links, of which this server is the home: if nobody has it yet, this server from now on.
  virtual Result<uint32_t> find_owner(const Identity& identity) = 0;
  // What is at a name in a directory of this server. ENOENT.
  virtual Result<OwnedObject> named(InodeId directory, const std::string& name) = 0;
  // The object of this server loses its name. EAGAIN: something else is there now. Errors as of unlink(2), rmdir(2).
  virtual Status remove_object(const RemoveStep& step) = 0;
  // The object of this server gets another name. Errors as of link(2).
  virtual Status link_object(const LinkStep& step) = 0;
  // The part of this server, around those of the rest of the route. EAGAIN: something else is at one of the names now.
  // Errors as of rename(2).
  virtual Status rename_step(const RenameStep& step) = 0;
};

}  // namespace forebay
