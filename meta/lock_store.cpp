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

class Values {
 public:
  explicit Values(sqlite3_stmt* statement) : statement_(statement) {}
  Values& operator<<(int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Values& operator<<(uint64_t value) { return *this << static_cast<int64_t>(value); }
  Values& operator<<(const LockStore::FileKey& file) {
    return *this << file.first << static_cast<int64_t>(file.second);
  }

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

}  // namespace

Result<std::unique_ptr<LockStore>> LockStore::open(const std::string& path) {
  std::unique_ptr<LockStore> store(new LockStore(path));
  if (const Status opened = store->open_file(); !opened) {
    log(Module::kMeta).warn("{}; made anew: locks of before are not known", opened.error().context);
    store.reset(new LockStore(path));
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
    RETURN_IF_ERROR(store->open_file());
  }
  return store;
}

Status LockStore::open_file() {
  sqlite3* database = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int opened = sqlite3_open_v2(path_.c_str(), &database, flags, nullptr);
  database_.reset(database);
  if (opened != SQLITE_OK || sqlite3_exec(database, kSchema, nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  RETURN_IF_ERROR(load());
  RETURN_IF_ERROR(prepare(begin_, "BEGIN IMMEDIATE"));
  RETURN_IF_ERROR(prepare(commit_, "COMMIT"));
  RETURN_IF_ERROR(prepare(rollback_, "ROLLBACK"));
  RETURN_IF_ERROR(prepare(erase_,
                          "DELETE FROM lock WHERE inode=? AND space=? AND session=? AND owner=? AND begin-1<=? AND "
                          "last>=?"));
  RETURN_IF_ERROR(prepare(insert_, "INSERT OR REPLACE INTO lock VALUES(?,?,?,?,?,?,?,?)"));
  return prepare(end_session_, "DELETE FROM lock WHERE inode=? AND space=? AND session=?");
}

Status LockStore::load() {
  Statement check;
  RETURN_IF_ERROR(prepare(check, "PRAGMA quick_check(1)"));
  if (sqlite3_step(check.get()) != SQLITE_ROW) return error();
  if (std::string_view(reinterpret_cast<const char*>(sqlite3_column_text(check.get(), 0))) != "ok") {
    return fail(EIO, "lock database {}: corrupt", path_);
  }
  Statement all;
  RETURN_IF_ERROR(prepare(all, "SELECT inode, space, session, owner, begin, last, exclusive, pid FROM lock"));
  int step = SQLITE_ROW;
  while ((step = sqlite3_step(all.get())) == SQLITE_ROW) {
    const auto number = [&](int column) { return static_cast<uint64_t>(sqlite3_column_int64(all.get(), column)); };
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
  return step == SQLITE_DONE ? Status{} : error();
}

Status LockStore::replace(const LockRequest& around, std::span<const LockRanges::Range> now) {
  // One statement is a transaction of its own.
  if (now.empty()) return erase(around);
  return transaction([&]() -> Status {
    RETURN_IF_ERROR(erase(around));
    for (const LockRanges::Range& range : now) RETURN_IF_ERROR(insert({around.id, around.space}, range));
    return {};
  });
}

// Of what only touches the range one byte beside it is in it.
Status LockStore::erase(const LockRequest& around) {
  Values(erase_.get()) << FileKey{around.id, around.space} << around.owner.session << around.owner.number
                       << around.end - 1 << static_cast<int64_t>(around.begin) - 1;
  return run(erase_);
}

Status LockStore::insert(const FileKey& file, const LockRanges::Range& range) {
  Values(insert_.get()) << file << range.owner.session << range.owner.number << range.begin << range.end - 1
                        << static_cast<int64_t>(range.exclusive) << static_cast<int64_t>(range.pid);
  return run(insert_);
}

Status LockStore::end_session(uint64_t session, std::span<const FileKey> files) {
  return transaction([&]() -> Status {
    for (const FileKey& file : files) {
      Values(end_session_.get()) << file << session;
      RETURN_IF_ERROR(run(end_session_));
    }
    return {};
  });
}

template <typename Change>
Status LockStore::transaction(Change change) {
  RETURN_IF_ERROR(run(begin_));
  Status changed = change();
  if (changed) changed = run(commit_);
  // A full disk may have ended it already.
  if (!changed && sqlite3_get_autocommit(database_.get()) == 0) (void)run(rollback_);
  return changed;
}

Status LockStore::prepare(Statement& statement, const char* sql) {
  sqlite3_stmt* made = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &made, nullptr) != SQLITE_OK) return error();
  statement.reset(made);
  return {};
}

Status LockStore::run(const Statement& statement) {
  const int step = sqlite3_step(statement.get());
  Status done = step == SQLITE_DONE ? Status{} : error();
  sqlite3_reset(statement.get());
  return done;
}

Status LockStore::error() const {
  const int code = (sqlite3_errcode(database_.get()) & 0xff) == SQLITE_FULL ? ENOSPC : EIO;
  return fail(code, "lock database {}: {}", path_, sqlite3_errmsg(database_.get()));
}

}  // namespace forebay::meta
