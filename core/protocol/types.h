// The words that all roles share: what a request names, and what an answer says about a file.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/file_time.h"
#include "core/unique_fd.h"

namespace forebay {

// Our own number of an object; never used twice in the life of a cache. 1 is the root of the link (as in FUSE).
using InodeId = uint64_t;
constexpr InodeId kRootInode = 1;
// Which metadata server gave the number, and has the inode.
constexpr unsigned kOwnerShift = 48;
constexpr uint32_t owner_of(InodeId id) { return static_cast<uint32_t>(id >> kOwnerShift); }

// A target's number; never used twice in a cluster. In one process there is one, with number 0.
using TargetId = uint32_t;

// Which object of the outside an inode is: it stays the same when the outside renames it, and a reused inode number
// has another birth time. `device` is 0 for the file system of the link's root, because st_dev may differ after a
// reboot; objects of file systems mounted below have their st_dev there.
struct Identity {
  uint64_t device = 0;
  uint64_t inode = 0;
  FileTime birth;

  bool operator==(const Identity&) const = default;
};

struct IdentityHash {
  size_t operator()(const Identity& identity) const {
    const uint64_t mixed = (identity.inode ^ (identity.device << 40)) * 0x9e3779b97f4a7c15ull ^
                           static_cast<uint64_t>(identity.birth.total_nanoseconds());
    return std::hash<uint64_t>{}(mixed);
  }
};

// mtime0 of the paper (3.3, Eq. 1), with the holes closed: a copy is valid while all four are what they were when it
// was made.
struct Validator {
  FileTime mtime;
  FileTime ctime;
  uint64_t size = 0;
  uint64_t inode = 0;

  bool operator==(const Validator&) const = default;
};

struct Attributes {
  mode_t mode = 0;
  uint32_t link_count = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  uint64_t device_number = 0;  // st_rdev, of device nodes
  uint64_t inode_number = 0;   // st_ino as applications see it; stable across remounts
  uint64_t size = 0;           // bytes
  uint64_t blocks = 0;         // of 512 bytes
  uint32_t block_size = 4096;  // bytes
  FileTime atime;
  FileTime mtime;
  FileTime ctime;
  FileTime birth;
};

// On whose behalf a request runs: external file system calls are made with these, so that the outside decides.
struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  mode_t umask = 0;
  std::vector<gid_t> groups;  // supplementary; empty for root, who needs none
  std::string node;           // where it comes from; empty within one process
};

// Handles of a file that a client has open, by access mode: O_RDONLY, O_WRONLY, O_RDWR.
using HandleCounts = std::array<uint64_t, 3>;

// Where an external object is: the path below the link's root, and what must be found there. A path is a hint, the
// identity decides: whoever opens it checks (the outside may rename at any time).
struct ExternalRef {
  std::string path;  // relative, "" for the root
  Identity identity;
  // Within one process: the object itself (O_PATH), which no rename and no unlink takes away. The path is empty then.
  std::shared_ptr<UniqueFd> descriptor;
};

// Stripe layout of a file: chunk i lies on target i modulo their number.
struct Layout {
  uint64_t chunk_size_bytes = 512 << 10;
  std::vector<TargetId> targets{0};

  bool operator==(const Layout&) const = default;
};

// Stage one of a fetch (paper 4.2, CachingFile): tells the target about a file, before anything moves.
struct CachingFileRequest {
  InodeId id = 0;
  ExternalRef source;
  Validator version;    // what the outside has now
  uint64_t blocks = 0;  // st_blocks of the external file, and its st_blksize
  uint32_t block_size = 0;
  Layout layout;
  bool created = false;  // the file was just created outside by us: it is empty, and its number was never used before
  bool lease_announced = false;  // the metadata server knows already that it may be written under a lease
  bool transient = false;        // there is nothing to flush it to
  bool newer = false;            // another part of it may be newer than the outside: what is here stays with that
  uint32_t handles = 0;          // not 0: it was opened so many times before, whatever was counted here
  // Not 0: it comes from the client that has made the file (CreateReply::new_file). What the metadata server knew then
  // counts as long as the target is in this run (TargetInfo::run) and has neither said nor lost anything of the file.
  uint64_t run = 0;
};

// What a directory says about the layout of files that are touched first below it.
struct LayoutRule {
  uint32_t count = 0;             // of targets; 0: auto
  uint64_t chunk_size_bytes = 0;  // 0: as the number of targets suggests

  bool operator==(const LayoutRule&) const = default;
};

}  // namespace forebay
