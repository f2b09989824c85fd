// Rows of the database: what an inode's row says, and when it is written. A row is written with the inode locked, so
// that the rows come in the order of the states that they tell of: an old "clean" after a new "dirty" would lose data
// with the next kill.
#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

// The caller holds inode.mutex.
InodeRow MetaServer::row_of(Inode& inode) {
  InodeRow row;
  row.id = inode.id;
  row.identity = inode.identity;
  row.mode = inode.attributes.mode;
  row.cached = inode.cached;
  row.dirty = inode.dirty;
  row.pinned = inode.pinned;
  row.has_data = inode.has_data;
  row.transient = inode.transient;
  row.mtime0 = inode.mtime0;
  row.shown_ctime = inode.shown_ctime;
  row.last_access = access_clock_++;
  if (inode.has_data && inode.layout != placement_.plain()) row.layout = inode.layout;
  return row;
}

// Rows of an inode and of the directories above it, each before what needs it. Of a file the database may know names
// that are no longer true; a directory has one name, and an old one would lead to what is below in vain.
Status MetaServer::put_chain(const InodePtr& inode, int depth) {
  if (depth > kMostLevels) return fail(ELOOP, "inode {}: has too many ancestors", inode->id);
  std::vector<Name> names;
  {
    const std::lock_guard lock(inode->mutex);
    const bool lost = inode->losses_before != store_->losses();
    if (depth > 0 && inode->stored && inode->names_stored && !lost) return {};
    names = inode->names;
  }
  for (const Name& name : names) RETURN_IF_ERROR(put_chain(name.parent, depth + 1));

  const std::lock_guard lock(inode->mutex);
  inode->losses_before = store_->losses();
  RETURN_IF_ERROR(store_->put_inode(row_of(*inode)));
  inode->stored = true;
  if (inode->is_directory()) RETURN_IF_ERROR(store_->delete_names(inode->id));
  size_t put = 0;
  for (const Name& name : names) {
    if (!has_name(*inode, *name.parent, name.name)) continue;  // renamed meanwhile
    RETURN_IF_ERROR(store_->put_name(name.parent->id, name.name, inode->id));
    ++put;
  }
  inode->names_stored = put == inode->names.size();
  // Nobody will look for it outside: with the next start its copy goes.
  return inode->unlinked ? store_->put_intent(0, "", inode->id) : Status{};
}

void MetaServer::record_directory(const InodePtr& inode) {
  if (!placement_.is_cluster() || !inode->is_directory()) return;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->stored && inode->names_stored) return;
  }
  if (Status put = put_chain(inode, 0); !put) log(Module::kMeta).error("{}", put.error().message());
}

Status MetaServer::store_inode(const InodePtr& inode) {
  const uint64_t losses = store_->losses();
  RETURN_IF_ERROR(put_chain(inode, 0));
  return store_->commit(losses);
}

// Written with the next commit: nothing is lost when it is late.
void MetaServer::update_row(const InodePtr& inode) {
  const std::lock_guard lock(inode->mutex);
  if (!inode->stored) return;
  if (Status put = store_->put_inode(row_of(*inode)); !put) log(Module::kMeta).error("{}", put.error().message());
}

void MetaServer::keep_orphan_row(const InodePtr& inode) {
  const std::lock_guard lock(inode->mutex);
  if (!inode->stored) return;
  Status kept = store_->delete_names(inode->id);
  if (kept) kept = store_->put_intent(0, "", inode->id);
  if (!kept) log(Module::kMeta).error("{}", kept.error().message());
}

void MetaServer::erase_row(const InodePtr& inode) {
  const std::lock_guard lock(inode->mutex);
  if (!inode->stored) return;
  inode->stored = false;
  if (Status erased = store_->delete_inode(inode->id); !erased) {
    log(Module::kMeta).error("{}", erased.error().message());
  }
}

}  // namespace forebay::meta
