// LockStore: the locks that clients have, in a file (SQLite): a metadata server that is started again has them, because
// the programs that hold them do not hear of a restart.
//
// It outlives the process, not a power cut: nothing is synced. Who waits for a lock asks again, and is not in here.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/protocol/locks.h"
#include "core/result.h"
#include "meta/lock_ranges.h"

namespace forebay::meta {

// One thread at a time.
class LockStore {
 public:
  using FileKey = std::pair<InodeId, LockSpace>;

  // Opens or makes the file, and reads what is in it. What a power cut has damaged is made anew. EIO: it cannot be
  // made.
  static Result<std::unique_ptr<LockStore>> open(const std::string& path);

  // What an earlier run has left: each range as a request for it. Once.
  std::vector<LockRequest> take_loaded() { return std::move(loaded_); }

  // Of the owner's locks those that overlap or touch the bytes of `around` are `now` from now on. EIO, ENOSPC.
  Status replace(const LockRequest& around, std::span<const LockRanges::Range> now);
  // The session has none any more; it had some on these files. EIO, ENOSPC.
  Status end_session(uint64_t session, std::span<const FileKey> files);

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit LockStore(std::string path) : path_(std::move(path)) {}
  Status open_file();
  Status load();
  Status prepare(Statement& statement, const char* sql);
  Status erase(const LockRequest& around);
  Status insert(const FileKey& file, const LockRanges::Range& range);
  // Runs a statement whose values are bound.
  Status run(const Statement& statement);
  // All that `change` does, or nothing.
  template <typename Change>
  Status transaction(Change change);
  Status error() const;

  const std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
  Statement begin_, commit_, rollback_, erase_, insert_, end_session_;  // before database_ in destruction
  std::vector<LockRequest> loaded_;
};

}  // namespace forebay::meta
