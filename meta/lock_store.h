// LockStore: the locks that clients have, in a file (SQLite): a metadata server that is started again has them, because
// the programs that hold them do not hear of a restart.
//
// It outlives the process, not a power cut: nothing is synced. Who waits for a lock asks again, and is not in here.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/database.h"
#include "core/protocol/locks.h"
#include "meta/lock_ranges.h"

namespace forebay::meta {

// One thread at a time.
class LockStore {
 public:
  using FileKey = std::pair<InodeId, LockSpace>;

  // Opens or makes the file, and reads what is in it. What a power cut has damaged is made anew. EIO: it cannot be
  // made; ENOSPC.
  static Result<std::unique_ptr<LockStore>> open(const std::string& path);

  // What an earlier run has left: each range as a request for it. Once.
  std::vector<LockRequest> take_loaded() { return std::move(loaded_); }

  // Of the owner's locks those that overlap or touch the bytes of `around` are `now` from now on. EIO, ENOSPC.
  Status replace(const LockRequest& around, std::span<const LockRanges::Range> now);
  // The session has none any more; it had some on these files. EIO, ENOSPC.
  Status end_session(uint64_t session, std::span<const FileKey> files);

 private:
  explicit LockStore(Database database) : database_(std::move(database)) {}
  static Result<std::unique_ptr<LockStore>> open_file(const std::string& path);
  Status load(const std::string& path);
  Status erase(const LockRequest& around);
  Status insert(const FileKey& file, const LockRanges::Range& range);

  Database database_;
  Statement erase_, insert_, end_session_;  // gone before the database is
  std::vector<LockRequest> loaded_;
};

}  // namespace forebay::meta
