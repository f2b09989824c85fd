// What the evictor asks for, and make_room.
#include <algorithm>

#include "core/fault/fault.h"
#include "meta/server.h"

namespace forebay::meta {

std::unique_ptr<evictor::Evictor> MetaServer::make_evictor(TargetId target) {
  evictor::Actions actions;
  actions.use_of = [this](InodeId id) {
    evictor::FileUse use;
    const InodePtr inode = inodes_.find(id);  // dirty and open ones are in memory
    if (inode == nullptr) return use;
    const std::lock_guard lock(inode->mutex);
    use.open = inode->opens > 0;
    use.dirty = inode->dirty && !fault_armed(Fault::kEvictDirty);
    use.pinned = inode->pinned || inode->transient;
    return use;
  };
  actions.flush = [this](InodeId id) -> Status {
    ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
    return flush_inode(inode, true);
  };
  actions.drop = [this](InodeId id, uint64_t bytes) { return drop(id, bytes); };
  actions.used_bytes = [this, target] {
    const SpaceReport space = storage_.space_of(target);
    return space.used_bytes + space.reserved_bytes;
  };
  actions.capacity_bytes = [this, target] { return storage_.space_of(target).capacity_bytes; };
  return std::make_unique<evictor::Evictor>(std::move(actions), [this, target] {
    const std::vector<TargetId> draining = placement_.draining();
    if (std::find(draining.begin(), draining.end(), target) != draining.end()) return evictor::Watermarks{};
    const uint64_t capacity = storage_.space_of(target).capacity_bytes;
    return evictor::Watermarks{config_.evict.high.of(capacity), config_.evict.low.of(capacity)};
  });
}

Status MetaServer::make_room(TargetId target, uint64_t bytes) {
  // One that was never used here has nothing to give; an evictor of its own would be a thread for each number.
  evictor::Evictor* const evictor = evictors_.find(target);
  if (evictor == nullptr) return bytes == 0 ? Status{} : Status(fail(ENOSPC, "no file is known on target {}", target));
  if (bytes > 0) return evictor->make_room(bytes);
  evictor->kick();
  return {};
}

Result<uint64_t> MetaServer::drop(InodeId id, uint64_t bytes) {
  Result<InodePtr> found = inodes_.get(id);
  if (!found) {  // no row: its file went away
    evictors_.remove(id);
    return uint64_t{0};
  }
  const InodePtr inode = *found;
  // To the end: an open in between would make the row that is erased here.
  std::unique_lock open_lock(inode->open_mutex);
  ASSIGN_OR_RETURN(const uint64_t freed, storage_.drop(id, bytes));
  ASSIGN_OR_RETURN(const ChunkState state, storage_.stat_file(id));
  bool gone = false, pinned = false;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->cached && !state.complete) --cached_files_;
    inode->cached = inode->cached && state.complete && state.exists;
    gone = !state.exists && inode->opens == 0 && !inode->dirty;
    if (gone) inode->has_data = false;
    if (gone) inode->layout = nullptr;  // who opens it next has it where it is near
    pinned = inode->pinned;
  }
  if (gone) evictors_.remove(id);
  if (gone && !pinned) {
    erase_row(inode);
  } else if (gone || freed > 0) {
    update_row(inode);
  }
  open_lock.unlock();
  inodes_.release(inode);
  return freed;
}

// The file was used: it is the last to leave now.
void MetaServer::used(const InodePtr& inode) {
  const std::lock_guard lock(inode->mutex);
  if (!inode->has_data || inode->pinned || inode->transient) return;
  const auto& layout = inode->layout != nullptr ? inode->layout : placement_.plain();
  evictors_.touch(layout->targets, inode->id);
}

}  // namespace forebay::meta
