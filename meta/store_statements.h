// Store's prepared statements; for its own files alone.
#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>

#include "meta/store.h"

namespace forebay::meta {

// A prepared statement in use: reset when its scope ends, so that it can be used again.
class Store::Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  ~Statement() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Statement& bind(uint64_t value) { return bind(static_cast<int64_t>(value)); }
  Statement& bind_blob(std::string_view value) {
    sqlite3_bind_blob(statement_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
    return *this;
  }
  Statement& bind_text(std::string_view value) {
    sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
    return *this;
  }
  Statement& bind_identity(const Identity& identity) {
    return bind(identity.inode)
        .bind(identity.device)
        .bind(identity.birth.seconds)
        .bind(int64_t{identity.birth.nanoseconds});
  }
  int step() { return sqlite3_step(statement_); }

  int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    const int length = sqlite3_column_bytes(statement_, column);
    return {static_cast<const char*>(data), static_cast<size_t>(length)};
  }
  InodeRow inode_row() const;

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

struct Store::Statements {
  sqlite3_stmt* find_by_identity = nullptr;
  sqlite3_stmt* find_by_id = nullptr;
  sqlite3_stmt* names_of = nullptr;
  sqlite3_stmt* intents_of = nullptr;
  sqlite3_stmt* with_intents = nullptr;
  sqlite3_stmt* files = nullptr;
  sqlite3_stmt* put_inode = nullptr;
  sqlite3_stmt* delete_inode = nullptr;
  sqlite3_stmt* delete_names = nullptr;
  sqlite3_stmt* put_name = nullptr;
  sqlite3_stmt* delete_name = nullptr;
  sqlite3_stmt* find_layout = nullptr;
  sqlite3_stmt* put_layout = nullptr;
  sqlite3_stmt* delete_layout = nullptr;
  sqlite3_stmt* layout_rules = nullptr;
  sqlite3_stmt* put_layout_rule = nullptr;
  sqlite3_stmt* delete_layout_rule = nullptr;
  sqlite3_stmt* put_intent = nullptr;
  sqlite3_stmt* delete_intents = nullptr;
  sqlite3_stmt* find_foreign = nullptr;
  sqlite3_stmt* put_foreign = nullptr;
  sqlite3_stmt* delete_foreign = nullptr;
  sqlite3_stmt* get_setting = nullptr;
  sqlite3_stmt* put_setting = nullptr;
};

}  // namespace forebay::meta
