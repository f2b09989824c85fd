#include "meta/lock_store.h"

#include <unistd.h>

#include "core/log.h"

namespace forebay::meta {
namespace {

// The last byte is written instead of the end, which may be more than SQLite's numbers can be.
constexpr char kSchema[] = R"(
  PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; PRAGMA wal_autocheckpoint=1000;
  CREATE TABLE IF NOT EXISTS lock(
    inode INTEGER NOT NULL, space INTEGER NOT NULL, session INTEGER NOT NULL, owner INTEGER NOT NULL,
    begin INTEGER NOT NULL, last INTEGER NOT NULL, exclusive INTEGER NOT NULL, pid INTEGER NOT NULL,
    PRIMARY KEY(inode, space, session, owner, begin)) WITHOUT ROWID;
)";

Statement& operator<<(Statement& statement, const LockStore::FileKey& file) {
  return statement << file.first << static_cast<int64_t>(file.second);
}

}  // namespace

Result<std::unique_ptr<LockStore>> LockStore::open(const std::string& path) {
  auto store = open_file(path);
  if (store || store.error().code == ENOSPC) return store;
  log(Module::kMeta).warn("{}; made anew: locks of before are not known", store.error().context);
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
  return open_file(path);
}

Result<std::unique_ptr<LockStore>> LockStore::open_file(const std::string& path) {
  ASSIGN_OR_RETURN(Database database, Database::open("lock database", path, kSchema));
  std::unique_ptr<LockStore> store(new LockStore(std::move(database)));
  RETURN_IF_ERROR(store->load(path));
  ASSIGN_OR_RETURN(store->erase_,
                   store->database_.prepare("DELETE FROM lock WHERE inode=? AND space=? AND session=? AND owner=? AND "
                                            "begin-1<=? AND last>=?"));
  ASSIGN_OR_RETURN(store->insert_, store->database_.prepare("INSERT OR REPLACE INTO lock VALUES(?,?,?,?,?,?,?,?)"));
  ASSIGN_OR_RETURN(store->end_session_,
                   store->database_.prepare("DELETE FROM lock WHERE inode=? AND space=? AND session=?"));
  return store;
}

Status LockStore::load(const std::string& path) {
  ASSIGN_OR_RETURN(Statement check, database_.prepare("PRAGMA quick_check(1)"));
  ASSIGN_OR_RETURN(const bool answered, database_.next(check));
  if (!answered || check.text(0) != "ok") return fail(EIO, "lock database {}: corrupt", path);
  ASSIGN_OR_RETURN(Statement all,
                   database_.prepare("SELECT inode, space, session, owner, begin, last, exclusive, pid FROM lock"));
  for (;;) {
    ASSIGN_OR_RETURN(const bool found, database_.next(all));
    if (!found) return {};
    const auto number = [&all](int column) { return static_cast<uint64_t>(all.number(column)); };
    LockRequest lock;
    lock.id = number(0);
    lock.space = static_cast<LockSpace>(number(1));
    lock.owner = {number(2), number(3)};
    lock.begin = number(4);
    lock.end = number(5) + 1;
    lock.exclusive = number(6) != 0;
    lock.pid = static_cast<pid_t>(number(7));
    loaded_.push_back(lock);
  }
}

Status LockStore::replace(const LockRequest& around, std::span<const LockRanges::Range> now) {
  // One statement is a transaction of its own.
  if (now.empty()) return erase(around);
  return database_.transaction([&]() -> Status {
    RETURN_IF_ERROR(erase(around));
    for (const LockRanges::Range& range : now) RETURN_IF_ERROR(insert({around.id, around.space}, range));
    return {};
  });
}

// Of what only touches the range one byte beside it is in it.
Status LockStore::erase(const LockRequest& around) {
  erase_ << FileKey{around.id, around.space} << around.owner.session << around.owner.number << around.end - 1
         << static_cast<int64_t>(around.begin) - 1;
  return database_.run(erase_);
}

Status LockStore::insert(const FileKey& file, const LockRanges::Range& range) {
  insert_ << file << range.owner.session << range.owner.number << range.begin << range.end - 1
          << static_cast<int64_t>(range.exclusive) << static_cast<int64_t>(range.pid);
  return database_.run(insert_);
}

Status LockStore::end_session(uint64_t session, std::span<const FileKey> files) {
  return database_.transaction([&]() -> Status {
    for (const FileKey& file : files) {
      end_session_ << file << session;
      RETURN_IF_ERROR(database_.run(end_session_));
    }
    return {};
  });
}

}  // namespace forebay::meta
