#include "core/database.h"

namespace forebay {

Statement& Statement::operator<<(int64_t value) {
  sqlite3_bind_int64(statement_.get(), ++bound_, value);
  return *this;
}

Statement& Statement::operator<<(std::string_view text) {
  sqlite3_bind_text(statement_.get(), ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  return *this;
}

std::string Statement::text(int column) const {
  const unsigned char* const text = sqlite3_column_text(statement_.get(), column);
  return text == nullptr ? std::string() : reinterpret_cast<const char*>(text);
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  bound_ = 0;
}

Result<Database> Database::open(std::string_view what, const std::string& path, const char* schema) {
  Database made;
  made.name_ = fmt::format("{} {}", what, path);
  sqlite3* opened = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  made.database_.reset(opened);
  if (code != SQLITE_OK || sqlite3_exec(opened, schema, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Failure(made.error().error());
  }
  ASSIGN_OR_RETURN(made.begin_, made.prepare("BEGIN IMMEDIATE"));
  ASSIGN_OR_RETURN(made.commit_, made.prepare("COMMIT"));
  ASSIGN_OR_RETURN(made.rollback_, made.prepare("ROLLBACK"));
  return made;
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) return Failure(error().error());
  return Statement(statement);
}

Status Database::run(Statement& statement) {
  const int step = sqlite3_step(statement.statement_.get());
  Status done = step == SQLITE_DONE ? Status{} : error();
  statement.reset();
  return done;
}

Result<bool> Database::next(Statement& statement) {
  const int step = sqlite3_step(statement.statement_.get());
  if (step == SQLITE_ROW) return true;
  const Status done = step == SQLITE_DONE ? Status{} : error();
  statement.reset();
  if (!done) return Failure(done.error());
  return false;
}

Status Database::error() const {
  const int code = (sqlite3_errcode(database_.get()) & 0xff) == SQLITE_FULL ? ENOSPC : EIO;
  return fail(code, "{}: {}", name_, sqlite3_errmsg(database_.get()));
}

}  // namespace forebay
