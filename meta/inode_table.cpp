#include "meta/inode_table.h"

#include <fcntl.h>

#include <algorithm>

namespace forebay::meta {
namespace {

// A file with more hard links than this is found through the latest ones.
constexpr size_t kMostNames = 16;

bool is_name(const Name& known, const Inode& parent, std::string_view name) {
  return known.parent.get() == &parent && known.name == name;
}

}  // namespace

void add_name(Inode& inode, const InodePtr& parent, std::string_view name) {
  const auto it = std::find_if(inode.names.begin(), inode.names.end(),
                               [&](const Name& known) { return is_name(known, *parent, name); });
  if (it != inode.names.end()) {
    std::rotate(inode.names.begin(), it, it + 1);
    return;
  }
  // A directory has one name; another one means that it was renamed.
  if (inode.is_directory()) inode.names.clear();
  inode.names.insert(inode.names.begin(), Name{parent, std::string(name)});
  if (inode.names.size() > kMostNames) inode.names.pop_back();
  inode.names_stored = false;
}

void remove_name(Inode& inode, const Inode& parent, std::string_view name) {
  std::erase_if(inode.names, [&](const Name& known) { return is_name(known, parent, name); });
}

std::vector<Name> names_of(Inode& inode) {
  const std::lock_guard lock(inode.mutex);
  return inode.names;
}

bool has_name(const Inode& inode, const Inode& parent, std::string_view name) {
  return std::any_of(inode.names.begin(), inode.names.end(),
                     [&](const Name& known) { return is_name(known, parent, name); });
}

Status InodeTable::open_root() {
  ASSIGN_OR_RETURN(const consistency::Probe probe, external_.probe_fd(external_.root_fd()));
  auto root = std::make_shared<Inode>(kRootInode, probe.identity, probe.attributes.mode);
  root->attributes = probe.attributes;
  root->lookups = 1;  // never forgotten
  ASSIGN_OR_RETURN(UniqueFd fd, consistency::ExternalTree::reopen(external_.root_fd(), O_PATH | O_DIRECTORY));
  root->fd = std::make_shared<UniqueFd>(std::move(fd));
  const std::lock_guard lock(mutex_);
  insert(root);
  return {};
}

void InodeTable::insert(const InodePtr& inode) {
  by_id_[inode->id] = inode;
  by_identity_[inode->identity] = inode.get();
}

InodePtr InodeTable::find(InodeId id) {
  const std::lock_guard lock(mutex_);
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

Result<InodePtr> InodeTable::get(InodeId id) {
  const std::lock_guard lock(mutex_);
  if (const auto it = by_id_.find(id); it != by_id_.end()) return it->second;
  InodeRow row;
  ASSIGN_OR_RETURN(const bool found, store_.find_by_id(id, &row));
  if (!found) return fail(ESTALE, "inode {}", id);
  return load(row, 0);
}

// An object without a name does not count: where nothing tells the time of birth, its number may be another's already.
InodePtr InodeTable::find_named(const Identity& identity) {
  const auto it = by_identity_.find(identity);
  if (it == by_identity_.end()) return nullptr;
  InodePtr inode = it->second->shared_from_this();
  const std::lock_guard lock(inode->mutex);
  if (inode->unlinked) return nullptr;
  return inode;
}

Result<InodePtr> InodeTable::find_by_identity(const Identity& identity) {
  const std::lock_guard lock(mutex_);
  if (InodePtr inode = find_named(identity); inode != nullptr) return inode;
  InodeRow row;
  ASSIGN_OR_RETURN(const bool found, find_row(identity, &row));
  if (!found) return InodePtr();
  return load(row, 0);
}

// The row of an object that is in memory and has no name is about to go.
Result<bool> InodeTable::find_row(const Identity& identity, InodeRow* row) {
  ASSIGN_OR_RETURN(const bool found, store_.find_by_identity(identity, row));
  return found && !by_id_.contains(row->id);
}

// Brings an inode, and the directories that its names need, from the database. The caller holds mutex_. Names are
// hints, and some are of another time than others (a rename that was only intended, a directory that the outside
// moved): one that makes a directory its own ancestor is left out.
Result<InodePtr> InodeTable::load(const InodeRow& row, int depth) {
  if (depth > kMostLevels) return fail(EIO, "inode {}: has too many ancestors in the database", row.id);
  if (InodePtr inode = find_named(row.identity); inode != nullptr) return inode;
  if (!loading_.insert(row.id).second) return InodePtr();
  const Result<InodePtr> inode = load_new(row, depth);
  loading_.erase(row.id);
  return inode;
}

Result<InodePtr> InodeTable::load_new(const InodeRow& row, int depth) {
  auto inode = std::make_shared<Inode>(row.id, row.identity, row.mode, row.transient);
  inode->attributes.mode = row.mode;
  inode->cached = row.cached;
  inode->dirty = inode->unseen_writer = row.dirty;
  inode->pinned = row.pinned;
  inode->has_data = row.has_data;
  inode->mtime0 = row.mtime0;
  inode->shown_ctime = row.shown_ctime;
  inode->layout = row.layout;
  inode->stored = inode->names_stored = true;
  ASSIGN_OR_RETURN(std::vector<DentryRow> names, store_.names_of(row.id));
  ASSIGN_OR_RETURN(const std::vector<DentryRow> intents, store_.intents_of(row.id));
  names.insert(names.end(), intents.begin(), intents.end());
  for (const DentryRow& name : names) {
    const auto known = by_id_.find(name.parent);
    InodePtr parent = known == by_id_.end() ? nullptr : known->second;
    if (parent == nullptr) {
      InodeRow above;
      ASSIGN_OR_RETURN(const bool found, store_.find_by_id(name.parent, &above));
      if (!found) continue;
      ASSIGN_OR_RETURN(parent, load(above, depth + 1));
      if (parent == nullptr) continue;
    }
    inode->names.push_back({parent, name.name});
  }
  insert(inode);
  return inode;
}

Result<InodePtr> InodeTable::intern(const InodePtr& parent, std::string_view name, const consistency::Probe& probe,
                                    uint64_t lookups) {
  const std::lock_guard lock(mutex_);
  InodePtr inode = find_named(probe.identity);
  if (inode == nullptr) {
    InodeRow row;
    ASSIGN_OR_RETURN(const bool found, find_row(probe.identity, &row));
    if (found) {
      ASSIGN_OR_RETURN(inode, load(row, 0));
    } else {
      ASSIGN_OR_RETURN(const InodeId id, store_.next_id());
      inode = std::make_shared<Inode>(id, probe.identity, probe.attributes.mode, probe.transient);
      insert(inode);
    }
  }
  const std::lock_guard inode_lock(inode->mutex);
  inode->lookups += lookups;
  if (inode->attributes.mode == 0) inode->attributes = probe.attributes;
  if (parent != nullptr && inode->id != kRootInode) add_name(*inode, parent, name);
  return inode;
}

InodePtr InodeTable::adopt(const ObjectPlaces& object, std::vector<Name> names) {
  const std::lock_guard lock(mutex_);
  InodePtr inode;
  if (const auto known = by_id_.find(object.id); known != by_id_.end()) {
    inode = known->second;
  } else {
    inode = std::make_shared<Inode>(object.id, object.identity, object.type, object.transient);
    inode->attributes.mode = object.type;
    insert(inode);
  }
  const std::lock_guard inode_lock(inode->mutex);
  inode->names = std::move(names);
  inode->names_stored = false;
  return inode;
}

void InodeTable::release(const InodePtr& inode) {
  std::vector<InodePtr> parents;
  {
    const std::lock_guard lock(mutex_);
    // The table and the caller; anybody else who holds it lets it go later.
    constexpr long kUsersOfIdle = 2;
    if (inode->id == kRootInode || inode.use_count() > kUsersOfIdle) return;
    const std::lock_guard inode_lock(inode->mutex);
    if (inode->lookups > 0 || inode->opens > 0 || (inode->dirty && !inode->transient)) return;
    const auto it = by_id_.find(inode->id);
    if (it == by_id_.end() || it->second != inode) return;
    by_id_.erase(it);
    if (const auto known = by_identity_.find(inode->identity);
        known != by_identity_.end() && known->second == inode.get()) {
      by_identity_.erase(known);
    }
    for (const Name& name : inode->names) parents.push_back(name.parent);
    inode->names.clear();
  }
  for (const InodePtr& parent : parents) release(parent);
}

size_t InodeTable::size() {
  const std::lock_guard lock(mutex_);
  return by_id_.size();
}

}  // namespace forebay::meta
