// Store: rows of inodes, of their names and layouts.
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "meta/store_statements.h"

namespace forebay::meta {
namespace {

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

Result<bool> Store::find_by_identity(const Identity& identity, InodeRow* row) {
  const std::lock_guard lock(mutex_);
  Statement find(statements_->find_by_identity);
  const int step = find.bind_identity(identity).step();
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

Result<std::optional<uint32_t>> Store::foreign_owner(const Identity& identity) {
  const std::lock_guard lock(mutex_);
  Statement find(statements_->find_foreign);
  const int step = find.bind_identity(identity).step();
  if (step == SQLITE_DONE) return std::optional<uint32_t>();
  if (step != SQLITE_ROW) return Failure(error("find foreign").error());
  return std::optional<uint32_t>(static_cast<uint32_t>(find.number(0)));
}

Status Store::put_foreign(const Identity& identity, uint32_t owner) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  Statement put(statements_->put_foreign);
  return changed(put.bind_identity(identity).bind(uint64_t{owner}).step(), "put foreign");
}

Status Store::delete_foreign(const Identity& identity) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(begin());
  return changed(Statement(statements_->delete_foreign).bind_identity(identity).step(), "delete foreign");
}

}  // namespace forebay::meta
