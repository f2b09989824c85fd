// Database: a small SQLite database of one thread at a time. (The metadata database, with its group commit, is
// meta/store.h.)
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace forebay {

// A prepared statement, to be run by its database as often as one likes.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  // The values of its placeholders, one after the other, before each run. A text must live until then.
  Statement& operator<<(int64_t value);
  Statement& operator<<(uint64_t value) { return *this << static_cast<int64_t>(value); }
  Statement& operator<<(std::string_view text);

  // Of the row that Database::next() has come to.
  int64_t number(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string text(int column) const;

 private:
  friend class Database;
  void reset();

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

class Database {
 public:
  // Opens or makes the file, and runs `schema`, with its pragmas. `what` it is comes first in errors. EIO; ENOSPC.
  static Result<Database> open(std::string_view what, const std::string& path, const char* schema);

  // These are EIO or ENOSPC if they fail, with what SQLite says.
  Result<Statement> prepare(const char* sql);
  // One without rows.
  Status run(Statement& statement);
  // Goes to the next row; false when there is none.
  Result<bool> next(Statement& statement);
  // All that `change` does, or nothing.
  template <typename Change>
  Status transaction(Change change) {
    RETURN_IF_ERROR(run(begin_));
    Status changed = change();
    if (changed) changed = run(commit_);
    // A full disk may have ended it already.
    if (!changed && sqlite3_get_autocommit(database_.get()) == 0) (void)run(rollback_);
    return changed;
  }

 private:
  Database() = default;
  Status error() const;

  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };
  std::string name_;  // what it is, and where
  std::unique_ptr<sqlite3, Close> database_;
  Statement begin_, commit_, rollback_;
};

}  // namespace forebay
