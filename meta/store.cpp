#include "meta/store.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

#include "core/unique_fd.h"

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
  CREATE TABLE IF NOT EXISTS setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)";

constexpr char kInodeColumns[] =
    "id, device, inode, birth_s, birth_ns, mode, flags, mtime_s, mtime_ns, ctime_s, ctime_ns, size, last_access, "
    "shown_s, shown_ns";

constexpr int64_t kCached = 1, kDirty = 2, kPinned = 4, kHasData = 8, kHasLayout = 16, kTransient = 32;

int64_t flags_of(const InodeRow& row) {
  return (row.cached ? kCached : 0) | (row.dirty ? kDirty : 0) | (row.pinned ? kPinned : 0) |
         (row.has_data ? kHasData : 0) | (row.layout != nullptr ? kHasLayout : 0) | (row.transient ? kTransient : 0);
}

std::string text_of(const std::vector<TargetId>& targets) { return fmt::format("{}", fmt::join(targets, ",")); }

// Empty when it is no list of numbers.
std::vector<TargetId> parse_targets(const std::string& text) {
  std::vector<TargetId> targets;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    TargetId target = 0;
    const auto parsed = std::from_chars(at, text.data() + text.size(), target);
    const bool more = parsed.ptr != text.data() + text.size();
    if (parsed.ec != std::errc{} || (more && *parsed.ptr != ',')) return {};
    targets.push_back(target);
    at = parsed.ptr + (more ? 1 : 0);
  }
  return targets;
}

}  // namespace

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

InodeRow Store::Statement::inode_row() const {
  InodeRow row;
  row.id = static_cast<InodeId>(number(0));
  row.identity = {
      static_cast<uint64_t>(number(1)), static_cast<uint64_t>(number(2)), {number(3), static_cast<int32_t>(number(4))}};
  row.mode = static_cast<mode_t>(number(5));
  const int64_t flags = number(6);
  row.cached = (flags & kCached) != 0;
  row.dirty = (flags & kDirty) != 0;
  row.pinned = (flags & kPinned) != 0;
  row.has_data = (flags & kHasData) != 0;
  row.transient = (flags & kTransient) != 0;
  row.mtime0.mtime = {number(7), static_cast<int32_t>(number(8))};
  row.mtime0.ctime = {number(9), static_cast<int32_t>(number(10))};
  row.mtime0.size = static_cast<uint64_t>(number(11));
  row.mtime0.inode = row.identity.inode;
  row.last_access = static_cast<uint64_t>(number(12));
  row.shown_ctime = {number(13), static_cast<int32_t>(number(14))};
  if ((flags & kHasLayout) != 0) row.layout = std::make_shared<const Layout>();  // read_layout() says which
  return row;
}

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
  sqlite3_stmt* get_setting = nullptr;
  sqlite3_stmt* put_setting = nullptr;
};

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

Result<bool> Store::find_by_identity(const Identity& identity, InodeRow* row) {
  const std::lock_guard lock(mutex_);
  Statement find(statements_->find_by_identity);
  find.bind(identity.inode)
      .bind(identity.device)
      .bind(identity.birth.seconds)
      .bind(int64_t{identity.birth.nanoseconds});
  const int step = find.step();
  if (step == SQLITE_DONE) return false;
  if (step != SQLITE_ROW) return Failure(error("find").error());
  *row = find.inode_row();
  RETURN_IF_ERROR(read_layout(row));
  return true;
}

Result<bool> Store::find_by_id(InodeId id, InodeRow* row) {
  const std::lock_guard lock(mutex_);
  Statement find(statements_->find_by_id);
  const int step = find.bind(id).step();
  if (step == SQLITE_DONE) return false;
  if (step != SQLITE_ROW) return Failure(error("find").error());
  *row = find.inode_row();
  RETURN_IF_ERROR(read_layout(row));
  return true;
}

// The caller holds mutex_.
Status Store::read_layout(InodeRow* row) {
  if (row->layout == nullptr) return {};
  Statement find(statements_->find_layout);
  if (find.bind(row->id).step() != SQLITE_ROW) return error("find layout");
  ASSIGN_OR_RETURN(row->layout, layout_of(row->id, find.number(0), find.bytes(1)));
  return {};
}

Result<std::shared_ptr<const Layout>> Store::layout_of(InodeId id, int64_t chunk_size, const std::string& targets) {
  Layout layout{static_cast<uint64_t>(chunk_size), parse_targets(targets)};
  if (layout.targets.empty() || chunk_size <= 0) {
    return fail(EIO, "metadata database {}: corrupt (layout of inode {})", path_, id);
  }
  return std::make_shared<const Layout>(std::move(layout));
}

Status Store::put_layout(const InodeRow& row) {
  if (row.layout == nullptr) return {};
  Statement put(statements_->put_layout);
  const std::string targets = text_of(row.layout->targets);
  return changed(put.bind(row.id).bind(row.layout->chunk_size_bytes).bind_text(targets).step(), "put layout");
}

Result<std::vector<DentryRow>> Store::names_of(InodeId id) { return list_names(statements_->names_of, id); }

Result<std::vector<DentryRow>> Store::intents_of(InodeId id) { return list_names(statements_->intents_of, id); }

Result<std::vector<DentryRow>> Store::list_names(sqlite3_stmt* statement, InodeId id) {
  const std::lock_guard lock(mutex_);
  Statement find(statement);
  find.bind(id);
  std::vector<DentryRow> rows;
  while (find.step() == SQLITE_ROW) rows.push_back({static_cast<InodeId>(find.number(0)), find.bytes(1)});
  return rows;
}

Result<std::vector<InodeId>> Store::with_intents() {
  const std::lock_guard lock(mutex_);
  Statement find(statements_->with_intents);
  std::vector<InodeId> ids;
  while (find.step() == SQLITE_ROW) ids.push_back(static_cast<InodeId>(find.number(0)));
  return ids;
}

Result<std::vector<FileRow>> Store::files() {
  const std::lock_guard lock(mutex_);
  Statement list(statements_->files);
  std::vector<FileRow> files;
  int step = SQLITE_ROW;
  while ((step = list.step()) == SQLITE_ROW) {
    const int64_t flags = list.number(1);
    FileRow& file = files.emplace_back();
    file.id = static_cast<InodeId>(list.number(0));
    file.cached = (flags & kCached) != 0;
    file.dirty = (flags & kDirty) != 0;
    file.pinned = (flags & kPinned) != 0;
    file.has_data = (flags & kHasData) != 0;
    file.transient = (flags & kTransient) != 0;
    file.last_access = static_cast<uint64_t>(list.number(2));
    if ((flags & kHasLayout) == 0) continue;
    ASSIGN_OR_RETURN(file.layout, layout_of(file.id, list.number(3), list.bytes(4)));
  }
  if (step != SQLITE_DONE) return Failure(error("list").error());
  std::sort(files.begin(), files.end(),
            [](const FileRow& a, const FileRow& b) { return a.last_access < b.last_access; });
  return files;
}

Status Store::put_inode(const InodeRow& row) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  Statement put(statements_->put_inode);
  put.bind(row.id).bind(row.identity.device).bind(row.identity.inode).bind(row.identity.birth.seconds);
  put.bind(int64_t{row.identity.birth.nanoseconds}).bind(uint64_t{row.mode}).bind(flags_of(row));
  put.bind(row.mtime0.mtime.seconds).bind(int64_t{row.mtime0.mtime.nanoseconds});
  put.bind(row.mtime0.ctime.seconds).bind(int64_t{row.mtime0.ctime.nanoseconds});
  put.bind(row.mtime0.size).bind(row.last_access);
  put.bind(row.shown_ctime.seconds).bind(int64_t{row.shown_ctime.nanoseconds});
  RETURN_IF_ERROR(changed(put.step(), "put inode"));
  return put_layout(row);
}

Status Store::delete_inode(InodeId id) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  for (sqlite3_stmt* statement : {statements_->delete_inode, statements_->delete_names, statements_->delete_intents,
                                  statements_->delete_layout}) {
    RETURN_IF_ERROR(changed(Statement(statement).bind(id).step(), "delete inode"));
  }
  return {};
}

Status Store::put_name(InodeId parent, std::string_view name, InodeId child) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  Statement put(statements_->put_name);
  return changed(put.bind(parent).bind_blob(name).bind(child).step(), "put name");
}

Status Store::delete_name(InodeId parent, std::string_view name, InodeId child) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  Statement remove(statements_->delete_name);
  return changed(remove.bind(parent).bind_blob(name).bind(child).step(), "delete name");
}

Status Store::delete_names(InodeId child) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  return changed(Statement(statements_->delete_names).bind(child).step(), "delete names");
}

Status Store::put_intent(InodeId parent, std::string_view name, InodeId child) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  Statement put(statements_->put_intent);
  return changed(put.bind(parent).bind_blob(name).bind(child).step(), "put intent");
}

Status Store::delete_intents(InodeId child) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  return changed(Statement(statements_->delete_intents).bind(child).step(), "delete intents");
}

Status Store::prune_directories() {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  // Level by level from below; the depth of the tree limits the rounds.
  do {
    RETURN_IF_ERROR(
        execute("DELETE FROM inode WHERE flags & 14 = 0 AND id NOT IN (SELECT parent FROM dentry) "
                "AND id NOT IN (SELECT parent FROM intent) AND id NOT IN (SELECT inode FROM layout_rule)"));
    if (sqlite3_changes(db_) == 0) break;
    RETURN_IF_ERROR(
        execute("DELETE FROM dentry WHERE child NOT IN (SELECT id FROM inode);"
                "DELETE FROM intent WHERE child NOT IN (SELECT id FROM inode)"));
  } while (true);
  return execute("DELETE FROM layout_rule WHERE inode NOT IN (SELECT id FROM inode)");
}

Result<std::vector<std::pair<InodeId, LayoutRule>>> Store::layout_rules() {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<InodeId, LayoutRule>> rules;
  Statement list(statements_->layout_rules);
  int step = list.step();
  for (; step == SQLITE_ROW; step = list.step()) {
    rules.emplace_back(static_cast<InodeId>(list.number(0)),
                       LayoutRule{static_cast<uint32_t>(list.number(1)), static_cast<uint64_t>(list.number(2))});
  }
  return step == SQLITE_DONE ? Result<std::vector<std::pair<InodeId, LayoutRule>>>(std::move(rules))
                             : Failure(error("layout rules").error());
}

Status Store::put_layout_rule(InodeId directory, const std::optional<LayoutRule>& rule) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  if (!rule) return changed(Statement(statements_->delete_layout_rule).bind(directory).step(), "delete layout rule");
  Statement put(statements_->put_layout_rule);
  return changed(put.bind(directory).bind(uint64_t{rule->count}).bind(rule->chunk_size_bytes).step(),
                 "put layout rule");
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
