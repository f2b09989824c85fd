// Inode: what is known in memory of one external object.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "consistency/freshness.h"
#include "core/protocol/types.h"
#include "core/result.h"
#include "core/unique_fd.h"
#include "meta/empty_files.h"

namespace forebay::meta {

struct Inode;
using InodePtr = std::shared_ptr<Inode>;

// Where an object was seen outside. A hint: whoever uses it compares the identity.
struct Name {
  InodePtr parent;
  std::string name;
};

// Lock order within one inode: flush_mutex, open_mutex, change_mutex, mutex. Nothing is locked while room is made.
struct Inode : std::enable_shared_from_this<Inode> {
  Inode(InodeId inode_id, const Identity& external, mode_t mode, bool only_here = false)
      : id(inode_id), identity(external), type(mode & S_IFMT), transient(only_here) {}

  const InodeId id;
  const Identity identity;
  const mode_t type;  // S_IFMT of its mode
  // Its data is here alone, and stays: dirty for ever, never flushed nor evicted.
  const bool transient;

  std::mutex flush_mutex;   // one flush at a time
  std::mutex open_mutex;    // open and release against the removal of the copy
  std::mutex change_mutex;  // own changes of the external object, and the end of a flush

  std::mutex mutex;       // everything below
  Attributes attributes;  // as last seen outside
  Validator seen;         // the version that goes with them
  consistency::SteadyTime validated_at{};
  uint64_t changes = 0;  // grows with each own change: a look at the outside that began before it is out of date
  consistency::SteadyTime listed_at{};  // of a directory: the client may have a listing that began no earlier
  std::vector<Name> names;              // the latest first; empty for the root and for unlinked objects
  uint64_t lookups = 0;                 // references that the client holds
  std::shared_ptr<UniqueFd> fd;         // O_PATH; of directories in use, and of open or unlinked files
  int opens = 0, writers = 0;
  // Until it is clean it may be written through a handle that an earlier run of this server has opened.
  bool unseen_writer = false;
  uint64_t writing_session = 0;  // of the client that alone has it open for writing; 0: there are others, or none
  int truncations = 0;           // under way: of several parts some are cut off already, and no flush begins
  bool is_new = false;           // made here, and not known to be written or closed since
  EmptyFiles empty_files;        // of a directory
  bool unlinked = false;
  // We have taken its last name that we knew. A network file system may remember links that are gone: then it shows
  // with the next flush whether there are others.
  bool removed_here = false;
  bool maybe_capable = true;  // may have a security.capability attribute

  // The copy.
  std::shared_ptr<const Layout> layout;  // null: no target was chosen yet
  bool cached = false, dirty = false, pinned = false, has_data = false;
  bool stored = false;           // has a row in the database
  bool names_stored = false;     // and the database knows all its names
  uint64_t losses_before = 0;    // of the database, when that was written; with more by now it may not be true any more
  bool outdated = false;         // the outside was seen in a version that is neither the copy's nor our doing
  bool drop_on_release = false;  // evicted by command while open
  Validator mtime0;
  // A flush changes the external ctime, which is no change that an application made: while the external ctime is
  // mtime0's, this is the one to show. Zero: the external one.
  FileTime shown_ctime;
  // What the outside looks like now is our own doing: a flush, another own change.
  bool flushing = false, changing = false;
  uint64_t dirty_epoch = 0;  // grows with each change from clean to dirty
  uint64_t generation = 1;   // grows when the copy is replaced by another version
  uint64_t pages_of = 0;     // the generation that the client's page cache is of; 0: it is worth nothing
  // Not 0: the client may have pages of generations before this one, and is asked to drop them. Until it has, it is
  // shown the attributes of that time: with a new size, the rest of an old last page would be taken for data.
  uint64_t revoking = 0;
  static constexpr uint64_t kUndecided = UINT64_MAX;  // whether the copy is replaced; the same holds meanwhile
  uint64_t flush_failures = 0;
  Error last_flush_error{0, {}};

  bool is_directory() const { return S_ISDIR(type); }
  bool is_file() const { return S_ISREG(type); }
  // On several targets. With `mutex`.
  bool striped() const { return layout != nullptr && layout->targets.size() > 1; }
};

}  // namespace forebay::meta
