// ExtentLog: what a chunk file holds, on the target beside it, so that killing the process loses nothing and every
// target describes itself. It begins where the records that the chunk file's attribute has (log_head.h) end.
//
//   file   = { record }
//   record = checksum:u32 type:u32 value:u64[5]      48 bytes, native byte order
//
// Records are only appended; a state is the replay of all of them (ChunkFile::apply). A record whose checksum is wrong
// ends the log: the append of it was cut short, and so was the request that it belongs to. When the log has grown far
// beyond what the state needs, it is written anew beside and renamed over.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "core/result.h"
#include "core/unique_fd.h"
#include "storage/record.h"

namespace forebay::storage {

class ExtentLog {
 public:
  // Opens the log at `path`, if there is one, and hands every whole record to `replay`.
  // Errors of open(2) and pread(2); EIO for a record type that no version of ours writes.
  Status open(const std::string& path, const std::function<void(const Record&)>& replay);
  // Makes an empty log at `path`, instead of any older one.
  Status create(const std::string& path);
  bool is_open() const { return static_cast<bool>(fd_); }
  void close() { fd_.reset(); }

  // Appends all records with one write. On an error (ENOSPC, EIO) none of them counts.
  Status append(std::span<const Record> records);

  // Whether the log is worth a rewrite when `needed` records would do: where that costs little, and at any cost.
  bool bloated(size_t needed) const;
  bool overgrown(size_t needed) const;
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
