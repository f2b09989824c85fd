// ExtentLog: what a chunk file holds, on the target beside it, so that killing the process loses nothing and every
// target describes itself.
//
//   file   = { record }
//   record = checksum:u32 type:u32 value:u64[5]      48 bytes, native byte order
//
// Records are only appended; a state is the replay of all of them (ChunkFile::apply). A record whose checksum is wrong
// ends the log: the append of it was cut short, and so was the request that it belongs to. When the log has grown far
// beyond what the state needs, it is written anew beside and renamed over.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "core/protocol/types.h"
#include "core/result.h"
#include "core/unique_fd.h"
#include "storage/extent_set.h"

namespace forebay::storage {

enum class RecordType : uint32_t {
  kReset = 1,      // version: nothing is present, the file is as outside
  kPresent = 2,    // begin, end: fetched
  kAbsent = 3,     // begin, end: dropped
  kDirty = 4,      // begin, end: present bytes that are about to change
  kWritten = 5,    // begin, end: written; present, dirty, and the file ends there at the earliest
  kSize = 6,       // size: truncated or extended
  kClean = 7,      // begin, end: flushed
  kFlushed = 8,    // version: a flush ended
  kVersion = 9,    // version: the outside was changed by us, but no data
  kExpect = 10,    // Expectation: the outside is about to be changed by us
  kIdentity = 11,  // the external object
  kBase = 12,      // number: absent bytes up to here are the outside's again, after a flush
  kSynced = 13,    // data and log up to here are on disk
  kLeased = 14,    // mtime, size: from here on applications may write into the chunk file, which is like this
  kLeaseEnd = 15,  // nobody has, and nobody can any more
};

// What an own change outside will alter, if a crash cuts it short: attributes (and with them ctime), data, or mtime.
enum class Expectation : uint64_t { kNothing = 0, kAttributes = 1, kData = 2, kTimes = 3 };

struct Record {
  uint32_t checksum = 0;
  uint32_t type = 0;
  uint64_t value[5] = {};

  static Record of_range(RecordType type, Extent range);
  static Record of_version(RecordType type, const Validator& version);
  static Record of_number(RecordType type, uint64_t number);
  static Record of_identity(const Identity& identity);
  static Record of_lease(FileTime mtime, uint64_t size);

  RecordType kind() const { return static_cast<RecordType>(type); }
  Extent range() const { return {value[0], value[1]}; }
  Validator version() const;
  Identity identity() const;
  FileTime lease_mtime() const;
  uint64_t lease_size() const { return value[2]; }
};
static_assert(sizeof(Record) == 48);

class ExtentLog {
 public:
  // Opens the log at `path`, or makes an empty one, and hands every whole record to `replay`.
  // Errors of open(2) and pread(2); EIO for a record type that no version of ours writes.
  Status open(const std::string& path, const std::function<void(const Record&)>& replay);
  // Makes an empty log at `path`, instead of any older one.
  Status create(const std::string& path);
  bool is_open() const { return static_cast<bool>(fd_); }
  void close() { fd_.reset(); }

  // Appends all records with one write. On an error (ENOSPC, EIO) none of them counts.
  Status append(std::span<const Record> records);

  // Whether the log is worth a rewrite when `needed` records would do.
  bool bloated(size_t needed) const;
  // Replaces the log by these records, atomically.
  Status rewrite(std::span<const Record> records);

  // fdatasync(2).
  Status sync();

  // Bytes allocated on the target.
  uint64_t allocated_bytes() const;

 private:
  std::string path_;
  UniqueFd fd_;
  uint64_t end_ = 0;  // bytes of whole records
};

}  // namespace forebay::storage
