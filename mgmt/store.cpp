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

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  ASSIGN_OR_RETURN(Database database, Database::open("management database", path, kSchema));
  std::unique_ptr<Store> store(new Store(std::move(database)));
  ASSIGN_OR_RETURN(const std::string version, store->setting("schema"));
  if (version.empty()) RETURN_IF_ERROR(store->put_setting("schema", kSchemaVersion));
  if (!version.empty() && version != kSchemaVersion) {
    return fail(EIO, "management database {}: has schema {}, this program knows {}", path, version, kSchemaVersion);
  }
  return store;
}

Result<std::vector<Store::Member>> Store::members() {
  ASSIGN_OR_RETURN(Statement all, database_.prepare("SELECT kind, identity, number, node, draining FROM member"));
  std::vector<Member> members;
  for (;;) {
    ASSIGN_OR_RETURN(const bool found, database_.next(all));
    if (!found) return members;
    members.push_back({static_cast<Kind>(all.number(0)), all.text(1), static_cast<uint32_t>(all.number(2)), all.text(3),
                       all.number(4) != 0});
  }
}

Status Store::put(const Member& member) {
  ASSIGN_OR_RETURN(Statement put, database_.prepare("INSERT OR REPLACE INTO member VALUES(?,?,?,?,?)"));
  put << static_cast<int64_t>(member.kind) << member.identity << int64_t{member.number} << member.node
      << static_cast<int64_t>(member.draining);
  return database_.run(put);
}

Result<std::string> Store::setting(const std::string& key) {
  ASSIGN_OR_RETURN(Statement get, database_.prepare("SELECT value FROM setting WHERE key=?"));
  get << key;
  ASSIGN_OR_RETURN(const bool found, database_.next(get));
  return found ? get.text(0) : std::string();
}

Status Store::put_setting(const std::string& key, const std::string& value) {
  ASSIGN_OR_RETURN(Statement put, database_.prepare("INSERT OR REPLACE INTO setting VALUES(?,?)"));
  put << key << value;
  return database_.run(put);
}

}  // namespace forebay::mgmt
