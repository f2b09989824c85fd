#include "meta/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

#include "core/unique_fd.h"
#include "meta/store_statements.h"

namespace forebay::meta {
namespace {

constexpr char kSchemaVersion[] = "2";

// The cache is usable without the rows (they say only what is here), but dirty data is found through them: so a
// damaged database is never silently replaced.
constexpr char kSchema[] = R"(
  CREATE TABLE IF NOT EXISTS inode(
    id INTEGER PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL, birth_s INTEGER NOT NULL,
    birth_ns INTEGER NOT NULL, mode INTEGER NOT NULL, flags INTEGER NOT NULL, mtime_s INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, ctime_s INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    last_access INTEGER NOT NULL, shown_s INTEGER NOT NULL, shown_ns INTEGER NOT NULL);
  CREATE UNIQUE INDEX IF NOT EXISTS inode_identity ON inode(inode, device, birth_s, birth_ns);
  CREATE TABLE IF NOT EXISTS dentry(child INTEGER NOT NULL, parent INTEGER NOT NULL, name BLOB NOT NULL,
    PRIMARY KEY(child, parent, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS intent(child INTEGER NOT NULL, parent INTEGER NOT NULL, name BLOB NOT NULL,
    PRIMARY KEY(child, parent, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS layout(inode INTEGER PRIMARY KEY, chunk_size INTEGER NOT NULL, targets TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS layout_rule(inode INTEGER PRIMARY KEY, count INTEGER NOT NULL, chunk_size INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS foreign_object(inode INTEGER NOT NULL, device INTEGER NOT NULL, birth_s INTEGER NOT NULL,
    birth_ns INTEGER NOT NULL, owner INTEGER NOT NULL, PRIMARY KEY(inode, device, birth_s, birth_ns)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)";

constexpr char kInodeColumns[] =
    "id, device, inode, birth_s, birth_ns, mode, flags, mtime_s, mtime_ns, ctime_s, ctime_ns, size, last_access, "
    "shown_s, shown_ns";

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& path, uint32_t server) {
  std::unique_ptr<Store> store(new Store);
  store->path_ = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &store->db_, flags, nullptr) != SQLITE_OK) {
    RETURN_IF_ERROR(store->error("open"));
  }
  // synchronous=NORMAL: commits are not synced (sync() does that when an fsync asks); a checkpoint is. A commit writes
  // each page that it changed: small pages make it cheap.
  RETURN_IF_ERROR(
      store->execute("PRAGMA page_size=2048; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                     "PRAGMA locking_mode=EXCLUSIVE; PRAGMA wal_autocheckpoint=2000; PRAGMA temp_store=MEMORY; PRAGMA "
                     "cache_size=-16384"));
  RETURN_IF_ERROR(store->check_integrity());
  RETURN_IF_ERROR(store->execute(kSchema));
  RETURN_IF_ERROR(store->prepare());
  ASSIGN_OR_RETURN(const std::string version, store->setting("schema"));
  if (version.empty()) RETURN_IF_ERROR(store->put_setting("schema", kSchemaVersion));
  if (!version.empty() && version != kSchemaVersion) {
    return fail(EIO, "metadata database {}: has schema {}, this program knows {}", path, version, kSchemaVersion);
  }
  ASSIGN_OR_RETURN(const std::string next, store->setting("next_id"));
  store->next_id_ = (InodeId{server} << kOwnerShift) + kRootInode + 1;
  const char* end = next.data() + next.size();
  if (!next.empty() && std::from_chars(next.data(), end, store->next_id_).ptr != end) {
    return fail(EIO, "metadata database {}: corrupt (next inode number)", path);
  }
  store->reserved_to_ = store->next_id_;
  RETURN_IF_ERROR(store->reserve_ids());  // with all that is new in the database
  return store;
}

Store::~Store() {
  if (db_ == nullptr) return;
  (void)commit();
  if (statements_ != nullptr) {
    for (sqlite3_stmt* statement = sqlite3_next_stmt(db_, nullptr); statement != nullptr;
         statement = sqlite3_next_stmt(db_, nullptr)) {
      sqlite3_finalize(statement);
    }
  }
  sqlite3_close(db_);
}

Status Store::error(const char* what) const {
  const int code = sqlite3_errcode(db_) & 0xff;
  if (code == SQLITE_FULL) return fail(ENOSPC, "metadata database {}: {}", path_, what);
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
    return fail(EIO, "metadata database {}: corrupt ({}: {})", path_, what, sqlite3_errmsg(db_));
  }
  return fail(EIO, "metadata database {}: {}: {}", path_, what, sqlite3_errmsg(db_));
}

Status Store::execute(const char* sql) {
  return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? Status{} : error("statement");
}

Status Store::check_integrity() {
  sqlite3_stmt* check = nullptr;
  if (sqlite3_prepare_v2(db_, "PRAGMA quick_check(1)", -1, &check, nullptr) != SQLITE_OK) return error("check");
  std::string verdict = "no answer";
  if (sqlite3_step(check) == SQLITE_ROW) verdict = reinterpret_cast<const char*>(sqlite3_column_text(check, 0));
  sqlite3_finalize(check);
  if (verdict != "ok") return fail(EIO, "metadata database {}: corrupt ({})", path_, verdict);
  return {};
}

Status Store::prepare() {
  statements_ = std::make_unique<Statements>();
  const std::string columns = kInodeColumns;
  const std::pair<sqlite3_stmt**, std::string> all[] = {
      {&statements_->find_by_identity,
       "SELECT " + columns + " FROM inode WHERE inode=? AND device=? AND birth_s=? AND birth_ns=?"},
      {&statements_->find_by_id, "SELECT " + columns + " FROM inode WHERE id=?"},
      {&statements_->names_of, "SELECT parent, name FROM dentry WHERE child=?"},
      {&statements_->intents_of, "SELECT parent, name FROM intent WHERE child=?"},
      {&statements_->with_intents, "SELECT DISTINCT child FROM intent"},
      // Few columns, and sorted by us: SQLite would carry whole rows through its sorter.
      {&statements_->files,
       "SELECT id, flags, last_access, chunk_size, targets FROM inode LEFT JOIN layout ON layout.inode = inode.id "
       "WHERE flags & 14"},
      {&statements_->put_inode, "INSERT OR REPLACE INTO inode VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {&statements_->delete_inode, "DELETE FROM inode WHERE id=?"},
      {&statements_->delete_names, "DELETE FROM dentry WHERE child=?"},
      {&statements_->put_name, "INSERT OR REPLACE INTO dentry(parent, name, child) VALUES(?,?,?)"},
      {&statements_->delete_name, "DELETE FROM dentry WHERE parent=? AND name=? AND child=?"},
      {&statements_->find_layout, "SELECT chunk_size, targets FROM layout WHERE inode=?"},
      {&statements_->put_layout, "INSERT OR REPLACE INTO layout VALUES(?,?,?)"},
      {&statements_->delete_layout, "DELETE FROM layout WHERE inode=?"},
      {&statements_->layout_rules, "SELECT inode, count, chunk_size FROM layout_rule"},
      {&statements_->put_layout_rule, "INSERT OR REPLACE INTO layout_rule VALUES(?,?,?)"},
      {&statements_->delete_layout_rule, "DELETE FROM layout_rule WHERE inode=?"},
      {&statements_->put_intent, "INSERT OR REPLACE INTO intent(parent, name, child) VALUES(?,?,?)"},
      {&statements_->delete_intents, "DELETE FROM intent WHERE child=?"},
      {&statements_->find_foreign,
       "SELECT owner FROM foreign_object WHERE inode=? AND device=? AND birth_s=? AND birth_ns=?"},
      {&statements_->put_foreign, "INSERT OR REPLACE INTO foreign_object VALUES(?,?,?,?,?)"},
      {&statements_->delete_foreign,
       "DELETE FROM foreign_object WHERE inode=? AND device=? AND birth_s=? AND birth_ns=?"},
      {&statements_->get_setting, "SELECT value FROM setting WHERE key=?"},
      {&statements_->put_setting, "INSERT OR REPLACE INTO setting VALUES(?,?)"},
  };
  for (const auto& [statement, sql] : all) {
    const int done = sqlite3_prepare_v3(db_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr);
    if (done != SQLITE_OK) return error("prepare");
  }
  return {};
}

// On a full disk SQLite may take back the whole transaction, with what other threads have put into it.
void Store::note_loss() {
  if (!in_transaction_ || sqlite3_get_autocommit(db_) == 0) return;
  in_transaction_ = false;
  ++losses_;
}

Status Store::begin() {
  note_loss();
  if (in_transaction_) return {};
  RETURN_IF_ERROR(execute("BEGIN"));
  in_transaction_ = true;
  return {};
}

Status Store::changed(int step, const char* what) {
  if (step == SQLITE_DONE) return {};
  const Status failed = error(what);
  note_loss();
  return failed;
}

Status Store::commit(uint64_t losses_before) {
  const std::lock_guard lock(mutex_);
  note_loss();
  if (losses_ != losses_before) {
    return fail(ENOSPC, "metadata database {}: changes were taken back, because the disk was full", path_);
  }
  if (!in_transaction_) return {};
  RETURN_IF_ERROR(execute("COMMIT"));
  in_transaction_ = false;
  unsynced_ = true;
  return {};
}

Status Store::sync() {
  RETURN_IF_ERROR(commit());
  const std::lock_guard lock(mutex_);
  return unsynced_ ? sync_log() : Status{};
}

Status Store::sync_log() {
  // Frames of the write-ahead log carry checksums, so a sync of that file makes its commits durable. SQLite takes no
  // locks on it that closing our descriptor could drop.
  const UniqueFd fd(::open((path_ + "-wal").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fdatasync(fd.get()) != 0) return fail_errno("metadata database {}-wal", path_);
  unsynced_ = false;
  return {};
}

Result<InodeId> Store::next_id() {
  const std::lock_guard lock(mutex_);
  if (next_id_ >= reserved_to_) RETURN_IF_ERROR(reserve_ids());
  return next_id_++;
}

// Numbers are reserved in batches, so that giving one costs no SQL; the rest of a batch is lost at a restart. A number
// that a power cut gave back would belong to two chunk files: so it is on disk before.
Status Store::reserve_ids() {
  constexpr InodeId kBatch = 16384;
  RETURN_IF_ERROR(begin());
  const std::string value = std::to_string(reserved_to_ + kBatch);
  Statement put(statements_->put_setting);
  RETURN_IF_ERROR(changed(put.bind_text("next_id").bind_text(value).step(), "reserve"));
  RETURN_IF_ERROR(execute("COMMIT"));
  in_transaction_ = false;
  RETURN_IF_ERROR(sync_log());
  reserved_to_ += kBatch;
  return {};
}

Result<std::string> Store::setting(const std::string& key) {
  const std::lock_guard lock(mutex_);
  Statement get(statements_->get_setting);
  const int step = get.bind_text(key).step();
  if (step == SQLITE_DONE) return std::string();
  if (step != SQLITE_ROW) return Failure(error("setting").error());
  return get.bytes(0);
}

Status Store::put_setting(const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  Statement put(statements_->put_setting);
  return changed(put.bind_text(key).bind_text(value).step(), "put setting");
}

}  // namespace forebay::meta
