// StorageService: what a storage server does for the others. It owns targets, and on them the chunk files.
//
// Offsets and sizes are those of the whole file. Of a file on several targets, each target is asked for what lies in
// one of its chunks, and told of changes of the size as all of them are; sizes that it tells are how far its part goes.
//
// EBADFD: the file was made known to an earlier run of the target alone; its metadata server must do it again.
//
// All calls are thread safe and block until done. A file is known to it from caching_file() until discard(); bytes that
// are not present are fetched from the external file on demand.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/protocol/types.h"
#include "core/result.h"

namespace forebay {

// What a target holds of a file.
struct ChunkState {
  uint64_t size = 0;           // bytes, as the application sees the file
  uint64_t present_bytes = 0;  // of these, how many need no fetch
  uint64_t dirty_bytes = 0;    // newer than the external file
  uint64_t blocks = 0;         // 512-byte blocks allocated on the target
  FileTime mtime;              // of the data, meaningful while dirty
  FileTime ctime;              // when an application changed it last; not touched by fetches, flushes and drops
  Validator mtime0;            // the external file's version that the present bytes are of
  bool exists = false;         // there is a chunk file
  bool complete = false;       // all of it is present: the paper's caching flag
  bool dirty = false;          // data or size are newer than outside
  bool leased = false;         // a write lease is out, or a mapping made under one: it may change at any time
};

struct WriteReply {
  bool first = false;  // the file was clean before
};

struct SeekRequest {
  InodeId id = 0;
  uint64_t offset = 0;
  int whence = 0;  // SEEK_DATA or SEEK_HOLE
};

struct FlushBeginRequest {
  InodeId id = 0;
  ExternalRef source;
  bool overwrite = false;  // the conflict was settled for the cache: move although the outside differs
  // Of a file on several targets: one that has nothing of it may not know that it will.
  std::optional<Layout> layout;
};
struct FlushBeginReply {
  bool conflict = false;  // the outside is not mtime0 any more; nothing has begun
  uint64_t size = 0;      // what the external file's will be, as far as this target's chunks go
  uint64_t base = 0;      // and how far its content still counts; what is behind was truncated once
  // Of several parts, one that has nothing newer and is of another version than the outside, which is this. Whether
  // that is a conflict is for the others to say. Nothing has begun.
  std::optional<Validator> outdated;
};

// Of a file on one target: nothing but its id.
struct FlushCommitRequest {
  InodeId id = 0;
  std::optional<FileTime> mtime;     // what the external file gets, instead of the chunk file's
  std::optional<Validator> version;  // the outside was finished by another target, and is this now
};

struct FlushCommitReply {
  Validator version;    // the outside after the flush: the new mtime0
  FileTime ctime;       // as in ChunkState: what applications go on seeing, though the flush changed the external ctime
  bool clean = false;   // nothing was written meanwhile
  bool leased = false;  // as in ChunkState
};

// A lease: its holder reads (and writes) the chunk file itself, and tells nobody.
struct LeaseRequest {
  InodeId id = 0;
  bool writes = false;
  bool at_any_room = false;  // also where there is little room
  bool beside = false;       // others hold leases, and the kernel takes no other handle: it is given whatever happens
  bool direct = false;       // it writes past the page cache (O_DIRECT), perhaps many blocks at a time
  // The file is new, and this makes it known, and open, first; also where nothing is lent then. EBADFD: it is not.
  std::optional<CachingFileRequest> new_file;
};

// An offset: where the file ends at that moment, whoever else appends to it.
constexpr uint64_t kAtEnd = UINT64_MAX;

// Takes a descriptor that has `bytes` bytes at `offset`.
using TakeInPlace = std::function<void(int fd, uint64_t offset, size_t bytes)>;

enum class Settled { kNewer, kUnchanged, kClean };

struct SettleReply {
  Settled settled = Settled::kNewer;
  ChunkState state;
};

// Space of a target, or of several together, in bytes.
struct SpaceReport {
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t reserved_bytes = 0;  // held for operations under way
  uint64_t dirty_bytes = 0;
  uint64_t hits = 0;    // reads served from the target alone
  uint64_t misses = 0;  // reads that had to fetch
  uint64_t fetched_bytes = 0;
  uint64_t flushed_bytes = 0;
  uint32_t silent_targets = 0;  // of a sum: those that do not answer
};

class StorageService {
 public:
  virtual ~StorageService() = default;

  // Makes the file known, open for I/O until close_file(). Present bytes of another version are dropped unless the file
  // is dirty. Keeps the external file open while bytes are missing, so that a later unlink does not take them away.
  // ENOENT when the source is not there (or is another object); errors of the external and the cache file system.
  virtual Result<ChunkState> caching_file(const CachingFileRequest& request) = 0;

  // Ends what caching_file() opened; counted.
  virtual void close_file(InodeId id) = 0;
  virtual void close_files(std::span<const InodeId> ids) {
    for (const InodeId id : ids) close_file(id);
  }

  // State of a file; of one without chunk file when nothing is here. Never touches the outside.
  virtual Result<ChunkState> stat_file(InodeId id) = 0;

  // Reads up to buffer.size() bytes; 0 at or behind the end. Fetches what is missing, waiting for those chunks alone.
  virtual Result<size_t> read(InodeId id, uint64_t offset, std::span<char> buffer) = 0;
  // The same without a copy, if all of it is here and on this host: calls `take` with a descriptor that has the bytes.
  // They are fewer than asked for at the end of the file, and stay until `take` returns. False: it was not called.
  virtual bool read_in_place(InodeId id, uint64_t offset, size_t bytes, const TakeInPlace& take) = 0;
  // Waits, for at most `limit`, until no read that began to wait for the outside before `began` still does: true.
  virtual bool await_reads(InodeId id, std::chrono::steady_clock::time_point began,
                           std::chrono::milliseconds limit) = 0;

  // Writes all of `data`; with offset kAtEnd behind the last byte, wherever that is then. Waits for space when the
  // cache is full. ENOSPC only when the outside has none either.
  virtual Status write(InodeId id, uint64_t offset, std::span<const char> data) = 0;

  // The same in two halves, so that several targets work at a time: begin with each, then end each, in one thread, by
  // a call of what begin has returned. The buffer stays until then. One that was begun must be ended.
  using PendingRead = std::function<Result<size_t>()>;
  using PendingWrite = std::function<Status()>;
  virtual PendingRead begin_read(InodeId id, uint64_t offset, std::span<char> buffer) {
    return [=, this] { return read(id, offset, buffer); };
  }
  virtual PendingWrite begin_write(InodeId id, uint64_t offset, std::span<const char> data) {
    return [=, this] { return write(id, offset, data); };
  }

  // Of the first target of a file on several: a place of `bytes` bytes behind `size`, where the file ends as far as the
  // caller knows, and behind all that was given to others.
  virtual Result<uint64_t> reserve_end(InodeId id, uint64_t size, uint64_t bytes) = 0;

  virtual Status truncate(InodeId id, uint64_t size) = 0;

  // fallocate(2) with mode 0, KEEP_SIZE, PUNCH_HOLE or ZERO_RANGE. EOPNOTSUPP for other modes.
  virtual Status allocate(InodeId id, int mode, uint64_t offset, uint64_t length) = 0;

  // lseek(2) with SEEK_DATA and SEEK_HOLE. ENXIO behind the end.
  virtual Result<uint64_t> seek(const SeekRequest& request) = 0;

  // The file's written data and its extent map are on stable storage when this returns.
  virtual Status sync(InodeId id) = 0;

  // Sets the data's mtime (of a dirty file; nothing to do for a clean one, whose mtime is the external one).
  virtual Status set_mtime(InodeId id, FileTime mtime) = 0;

  // Starts to fetch all that is missing in the background, from `offset` on. Returns at once.
  virtual void start_fetch(InodeId id, uint64_t offset) = 0;

  // Fetches everything now. ENOSPC when it can't all be held.
  virtual Status fetch_all(InodeId id, std::chrono::milliseconds limit) = 0;

  // A flush, at most one of a file at a time. Begin: compares the outside with mtime0 and decides what goes; no own
  // change of the external object may be under way. Move: dirty extents go outside and are synced there. Commit: the
  // external file gets the application's mtime, and its new version is recorded. Of a file on several targets, one of
  // them sets the external size before any moves (otherwise flush_move() does), and one finishes the outside.
  virtual Result<FlushBeginReply> flush_begin(const FlushBeginRequest& request) = 0;
  virtual Status flush_resize(InodeId id, uint64_t base, uint64_t size) = 0;
  virtual Status flush_move(InodeId id) = 0;
  virtual Result<FlushCommitReply> flush_commit(const FlushCommitRequest& request) = 0;
  // Ends a flush that failed in between.
  virtual void flush_abort(InodeId id) = 0;

  // Copies the file as the application sees it, `size` bytes long, into another external file (for the keep-both rule).
  virtual Status copy_out(InodeId id, const ExternalRef& to, uint64_t size) = 0;

  // An own change of the outside (chmod, rename, ...) is about to happen and will change ctime (and, for utimens,
  // mtime) but no data: recorded before, so that a crash in between is not taken for a conflict.
  virtual Status expect_version_change(InodeId id, bool sets_mtime) = 0;
  // After a crash, before any other own change: if such a change explains that the outside is `now`, then the present
  // bytes are of that version.
  virtual Status settle_expectation(InodeId id, const Validator& now) = 0;
  // It happened: the present bytes are of version `to` now, if they were of version `from` before (else nothing is
  // done).
  virtual Status set_version(InodeId id, const Validator& from, const Validator& to) = 0;

  // The outside was seen in version `now`. If that is another than the present bytes are of, and the file is clean,
  // they are dropped: true.
  virtual Result<bool> outside_changed(InodeId id, const Validator& now) = 0;

  // Drops clean present bytes of an open file (at most `bytes`), or the chunk file of a closed clean one. Returns the
  // bytes freed. Never drops dirty data.
  virtual Result<uint64_t> drop(InodeId id, uint64_t bytes) = 0;

  // Forgets the file and removes its chunk file, dirty or not: the external file was unlinked, or lost a conflict.
  virtual Status discard(InodeId id) = 0;
  // The same for its dirty data only: the outside has won.
  virtual Status revert(InodeId id, const Validator& version) = 0;

  // Lends the chunk file of a file that was made known by caching_file(); ended by end_lease(). It is taken from no
  // holder, and while it stands no byte leaves the chunk file. ENODATA when it is empty, and has none. EAGAIN when
  // the file is not all here, when there is too little room to let somebody write unchecked, or too much to compare
  // afterwards; ENOTSUP when the target's file system does not tell enough of writes.
  virtual Result<UniqueFd> lease(const LeaseRequest& request) = 0;
  virtual void end_lease(InodeId id) = 0;
  virtual void end_leases(std::span<const InodeId> ids) {
    for (const InodeId id : ids) end_lease(id);
  }
  // Whether there is anything to flush; and if not, whether the next write will be announced by mark_dirty(), because
  // nobody can write to the file unseen any more, or by data_changed().
  virtual Result<SettleReply> settle(InodeId id) = 0;
  // The same of many: an answer for each, in their order.
  virtual std::vector<Result<SettleReply>> settle_many(std::span<const InodeId> ids) {
    std::vector<Result<SettleReply>> replies;
    for (const InodeId id : ids) replies.push_back(settle(id));
    return replies;
  }
  // Looks at all files with write leases: what was changed is reported by data_changed().
  virtual void look_at_leases() = 0;

  // Of all targets.
  virtual SpaceReport space() = 0;
  // Of one of them.
  virtual SpaceReport space_of(TargetId target) = 0;
};

}  // namespace forebay
