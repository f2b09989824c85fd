// What the commands ask for: state, flush, prefetch, evict, pin.
#include "meta/server.h"

namespace forebay::meta {

void MetaServer::report_complete(InodeId id) {
  const Result<InodePtr> found = inodes_.get(id);
  if (!found) return;
  if (is_striped(*found)) {  // one of several parts is
    const Result<ChunkState> state = storage_.stat_file(id);
    if (!state || !state->exists || !state->complete) return;
  }
  {
    const std::lock_guard lock((*found)->mutex);
    if ((*found)->unlinked) return;
    if (!(*found)->cached) ++cached_files_;
    (*found)->cached = true;
  }
  update_row(*found);
  used(*found);
}

Result<ExternalRef> MetaServer::locate(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  if (!placement_.is_cluster()) return ref_of(inode);
  std::unordered_set<InodeId> asked;
  RETURN_IF_ERROR(ask_for_ancestors(inode, asked));
  // Whoever is told a path opens it elsewhere: so it must be one where the object lies now, between own renames.
  const std::unique_lock names_lock(names_mutex_);
  for (const Name& name : names_of(*inode)) {
    const Result<FdPtr> parent = find_by_names(name.parent, 0);
    if (!parent && !is_gone(parent.error())) return Failure(parent.error());
    if (!parent) continue;
    const Result<consistency::Probe> probe = external_.probe_child((*parent)->get(), name.name.c_str());
    if (!probe && !is_gone(probe.error())) return Failure(probe.error());
    if (probe && probe->identity == inode->identity) {
      return ExternalRef{joined(path_of(name.parent), name.name), inode->identity, nullptr};
    }
  }
  return fail(ESTALE);
}

Result<CacheState> MetaServer::cache_state(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  RETURN_IF_ERROR(refresh(inode));
  CacheState state;
  // Where it would be is decided when it is opened; on a single target that is no question.
  state.layout.chunk_size_bytes = placement_.plain()->chunk_size_bytes;
  if (!placement_.is_cluster()) state.layout = *placement_.plain();
  state.size = attributes_of(inode).size;
  if (!inode->is_file()) return state;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->layout != nullptr) state.layout = *inode->layout;
  }
  ASSIGN_OR_RETURN(const ChunkState chunks, storage_.stat_file(id));
  const std::lock_guard lock(inode->mutex);
  state.pinned = inode->pinned;
  state.transient = inode->transient;
  if (inode->transient) {
    state.cached = true;
    state.present_bytes = state.size;
    return state;
  }
  state.dirty = chunks.dirty && chunks.exists;
  // A copy of another version than the outside has now is worth nothing, unless it is newer.
  const bool valid = chunks.exists &&
                     (state.dirty || chunks.mtime0 == inode->seen || config_.consistency.validate == Validate::kNever);
  if (!valid) return state;
  state.cached = chunks.complete;
  state.present_bytes = chunks.present_bytes;
  state.dirty_bytes = chunks.dirty_bytes;
  state.mtime0_ns = chunks.mtime0.mtime.total_nanoseconds();
  return state;
}

bool MetaServer::is_below(const InodePtr& inode, InodeId directory) {
  for (InodePtr at = inode; at != nullptr;) {
    if (at->id == directory) return true;
    const std::lock_guard lock(at->mutex);
    const InodePtr parent = at->names.empty() ? nullptr : at->names.front().parent;
    at = parent;
  }
  return false;
}

Result<std::vector<InodeId>> MetaServer::dirty_below(const InodePtr& top) {
  std::vector<InodeId> ids = scheduler_.files();
  if (top->id == kRootInode) return ids;
  // Other servers may have moved directories, and nothing that is below by now may be left out.
  std::unordered_set<InodeId> asked;
  for (const InodeId id : ids) {
    if (const InodePtr inode = inodes_.find(id); inode != nullptr) RETURN_IF_ERROR(ask_for_ancestors(inode, asked));
  }
  std::erase_if(ids, [&](InodeId id) {
    const InodePtr inode = inodes_.find(id);
    return inode == nullptr || !is_below(inode, top->id);
  });
  return ids;
}

Result<WorkProgress> MetaServer::flush(InodeId id, bool first, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(const InodePtr top, directory(id));
  if (first) storage_.look_at_leases();
  ASSIGN_OR_RETURN(const std::vector<InodeId> ids, dirty_below(top));
  if (first) {
    {
      const std::lock_guard lock(conflicts_mutex_);
      std::erase_if(conflicts_, [&](const auto& conflict) {
        const InodePtr inode = inodes_.find(conflict.first);
        return id == kRootInode || inode == nullptr || is_below(inode, id);
      });
    }
    scheduler_.expedite(ids);
  }
  // Not for what became dirty after the command.
  const evictor::FlushScheduler::Outcome outcome = scheduler_.wait_unanswered(ids, limit);
  WorkProgress progress;
  progress.remaining_files = outcome.remaining.size();
  for (const InodeId remaining : outcome.remaining) {
    const Result<ChunkState> state = storage_.stat_file(remaining);
    if (state) progress.remaining_bytes += state->dirty_bytes;
  }
  progress.failed_files = outcome.failed.size();
  if (!outcome.failed.empty()) progress.last_error = outcome.failed.front().second;
  if (progress.remaining_files > 0) return progress;
  // A conflict that was settled lost nothing, but whoever asked for the flush must know of it.
  const std::lock_guard lock(conflicts_mutex_);
  for (const auto& [conflicted, report] : conflicts_) {
    const InodePtr inode = inodes_.find(conflicted);
    if (conflicted != id && (inode == nullptr || !is_below(inode, id)) && id != kRootInode) continue;
    ++progress.conflicts;
    if (progress.failed_files == 0) progress.last_error = {EEXIST, report};
  }
  return progress;
}

Result<WorkProgress> MetaServer::prefetch(InodeId id, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  if (!inode->is_file()) return fail(EINVAL, "only files are fetched");
  const Status fetched = storage_.fetch_all(id, limit);
  WorkProgress progress;
  if (fetched) return progress;
  if (fetched.error().code != EINPROGRESS) return Failure(fetched.error());
  ASSIGN_OR_RETURN(const ChunkState state, storage_.stat_file(id));
  progress.remaining_files = 1;
  progress.remaining_bytes = state.size - std::min(state.size, state.present_bytes);
  return progress;
}

Result<WorkProgress> MetaServer::evict(InodeId id, bool first, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  if (!inode->is_file()) return fail(EINVAL, "only files are evicted");
  if (inode->transient) return fail(EBUSY, "is transient: its data is nowhere else");
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->pinned) return fail(EBUSY, "is pinned; unpin it first");
  }
  ASSIGN_OR_RETURN(WorkProgress progress, flush(id, first, limit));
  if (progress.remaining_files + progress.failed_files + progress.conflicts > 0) return progress;
  {
    const std::lock_guard lock(inode->mutex);
    inode->drop_on_release = inode->opens > 0;
    ++inode->generation;  // the client's pages go, too: whoever reads it next brings it back
  }
  RETURN_IF_ERROR(drop_soon(id));
  return progress;
}

// The kernel may hold the chunk file for a moment after the last handle was closed that it passed through, and no event
// tells when it lets go. A file that stays open is dropped by its last release().
Status MetaServer::drop_soon(InodeId id) {
  constexpr std::chrono::milliseconds kLongest{200}, kPause{2};
  const auto deadline = std::chrono::steady_clock::now() + kLongest;
  while (true) {
    RETURN_IF_ERROR(storage_.settle(id));
    ASSIGN_OR_RETURN([[maybe_unused]] const uint64_t dropped, drop(id, UINT64_MAX));
    ASSIGN_OR_RETURN(const ChunkState state, storage_.stat_file(id));
    if (state.present_bytes == 0 || state.dirty || std::chrono::steady_clock::now() >= deadline) return {};
    std::this_thread::sleep_for(kPause);
  }
}

Status MetaServer::pin(InodeId id, bool pinned) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  if (!inode->is_file()) return fail(EINVAL, "only files are pinned");
  {
    const std::lock_guard lock(inode->mutex);
    inode->pinned = pinned;
  }
  if (pinned) {
    evictors_.remove(id);
    return store_inode(inode);
  }
  const uint64_t losses = store_->losses();
  update_row(inode);
  used(inode);
  return store_->commit(losses);
}

}  // namespace forebay::meta
