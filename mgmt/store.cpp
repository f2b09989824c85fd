#include "mgmt/store.h"

namespace forebay::mgmt {
namespace {

constexpr char kSchemaVersion[] = "1";
// synchronous=FULL: a number that a power cut took back would be given twice.
constexpr char kSchema[] = R"(
  PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA locking_mode=EXCLUSIVE;
  CREATE TABLE IF NOT EXISTS member(
    kind INTEGER NOT NULL, identity TEXT NOT NULL, number INTEGER NOT NULL, node TEXT NOT NULL,
    draining INTEGER NOT NULL, PRIMARY KEY(kind, identity));
  CREATE UNIQUE INDEX IF NOT EXISTS member_number ON member(kind, number);
  CREATE TABLE IF NOT EXISTS setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)";

std::string text_of(sqlite3_stmt* statement, int column) {
  const unsigned char* text = sqlite3_column_text(statement, column);
  return text == nullptr ? std::string() : reinterpret_cast<const char*>(text);
}

void bind_text(sqlite3_stmt* statement, int at, const std::string& text) {
  sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  std::unique_ptr<Store> store(new Store);
  store->path_ = path;
  sqlite3* database = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int opened = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
  store->database_.reset(database);
  if (opened != SQLITE_OK) return Failure(store->error().error());
  if (sqlite3_exec(database, kSchema, nullptr, nullptr, nullptr) != SQLITE_OK) return Failure(store->error().error());
  ASSIGN_OR_RETURN(const std::string version, store->setting("schema"));
  if (version.empty()) RETURN_IF_ERROR(store->put_setting("schema", kSchemaVersion));
  if (!version.empty() && version != kSchemaVersion) {
    return fail(EIO, "management database {}: has schema {}, this program knows {}", path, version, kSchemaVersion);
  }
  return store;
}

Status Store::error() const { return fail(EIO, "management database {}: {}", path_, sqlite3_errmsg(database_.get())); }

Result<Store::Statement> Store::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) return Failure(error().error());
  return Statement(statement);
}

Status Store::run(const Statement& statement) {
  return sqlite3_step(statement.get()) == SQLITE_DONE ? Status{} : error();
}

Result<std::vector<Store::Member>> Store::members() {
  ASSIGN_OR_RETURN(const Statement list, prepare("SELECT kind, identity, number, node, draining FROM member"));
  std::vector<Member> members;
  int step = SQLITE_ROW;
  while ((step = sqlite3_step(list.get())) == SQLITE_ROW) {
    members.push_back({static_cast<Kind>(sqlite3_column_int(list.get(), 0)), text_of(list.get(), 1),
                       static_cast<uint32_t>(sqlite3_column_int64(list.get(), 2)), text_of(list.get(), 3),
                       sqlite3_column_int(list.get(), 4) != 0});
  }
  if (step != SQLITE_DONE) return Failure(error().error());
  return members;
}

Status Store::put(const Member& member) {
  ASSIGN_OR_RETURN(const Statement put, prepare("INSERT OR REPLACE INTO member VALUES(?,?,?,?,?)"));
  sqlite3_bind_int(put.get(), 1, static_cast<int>(member.kind));
  bind_text(put.get(), 2, member.identity);
  sqlite3_bind_int64(put.get(), 3, member.number);
  bind_text(put.get(), 4, member.node);
  sqlite3_bind_int(put.get(), 5, member.draining ? 1 : 0);
  return run(put);
}

Result<std::string> Store::setting(const std::string& key) {
  ASSIGN_OR_RETURN(const Statement get, prepare("SELECT value FROM setting WHERE key=?"));
  bind_text(get.get(), 1, key);
  const int step = sqlite3_step(get.get());
  if (step == SQLITE_ROW) return text_of(get.get(), 0);
  if (step != SQLITE_DONE) return Failure(error().error());
  return std::string();
}

Status Store::put_setting(const std::string& key, const std::string& value) {
  ASSIGN_OR_RETURN(const Statement put, prepare("INSERT OR REPLACE INTO setting VALUES(?,?)"));
  bind_text(put.get(), 1, key);
  bind_text(put.get(), 2, value);
  return run(put);
}

}  // namespace forebay::mgmt
