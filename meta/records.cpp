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
  row.mtime0 = inode.mtime0;
  row.shown_ctime = inode.shown_ctime;
  row.last_access = access_clock_++;
  return row;
}

// Rows of an inode and of the directories above it, each before what needs it.
Status MetaServer::put_chain(const InodePtr& inode, int depth) {
  std::vector<Name> names;
  bool was_stored = false;
  {
    const std::lock_guard lock(inode->mutex);
    names = inode->names;
    was_stored = inode->stored;
  }
  if (was_stored && depth > 0) return {};
  for (const Name& name : names) RETURN_IF_ERROR(put_chain(name.parent, depth + 1));
  {
    const std::lock_guard lock(inode->mutex);
    RETURN_IF_ERROR(store_->put_inode(row_of(*inode)));
    inode->stored = true;
  }
  for (const Name& name : names) RETURN_IF_ERROR(store_->put_name(name.parent->id, name.name, inode->id));
  return {};
}

Status MetaServer::store_inode(const InodePtr& inode) {
  RETURN_IF_ERROR(put_chain(inode, 0));
  return store_->commit();
}

// Written with the next commit: nothing is lost when it is late.
void MetaServer::update_row(const InodePtr& inode) {
  const std::lock_guard lock(inode->mutex);
  if (!inode->stored) return;
  if (Status put = store_->put_inode(row_of(*inode)); !put) log(Module::kMeta).error("{}", put.error().message());
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
