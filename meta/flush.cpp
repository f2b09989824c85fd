// Flushes: one file's dirty data goes outside, in the two stages of the paper (4.2), and what happens when the outside
// has changed meanwhile.
#include "consistency/conflict.h"
#include "core/fault/fault.h"
#include "core/log.h"
#include "core/printable.h"
#include "meta/server.h"

namespace forebay::meta {

Status MetaServer::flush_inode(const InodePtr& inode, bool for_room) {
  while (true) {
    Status flushed = flush_dirty(inode, for_room);
    const bool being_cut = !flushed && flushed.error().code == EALREADY;
    if (!being_cut || for_room || !await_truncation(inode)) return flushed;
  }
}

void MetaServer::begin_truncation(const InodePtr& inode) {
  const std::lock_guard change_lock(inode->change_mutex);  // not while a flush begins
  const std::lock_guard lock(inode->mutex);
  ++inode->truncations;
}

void MetaServer::end_truncation(const InodePtr& inode) {
  {
    const std::lock_guard lock(inode->mutex);
    --inode->truncations;
  }
  // Who saw it unfinished is waiting by now.
  { const std::lock_guard lock(truncation_mutex_); }
  truncated_.notify_all();
}

bool MetaServer::await_truncation(const InodePtr& inode) {
  constexpr std::chrono::seconds kLongest{30};
  std::unique_lock lock(truncation_mutex_);
  return truncated_.wait_for(lock, kLongest, [&] {
    const std::lock_guard inode_lock(inode->mutex);
    return inode->truncations == 0;
  });
}

Status MetaServer::flush_dirty(const InodePtr& inode, bool for_room) {
  const std::lock_guard flush_lock(inode->flush_mutex);
  {
    const std::lock_guard lock(inode->mutex);
    if (!inode->dirty || inode->transient || (inode->unlinked && !for_room)) return {};
  }
  ASSIGN_OR_RETURN(const bool clean, settle_clean(inode));
  if (clean) return {};
  bool conflict = false;
  Status flushed = flush_once(inode, false, &conflict);
  if (conflict && follow_rename(inode)) flushed = flush_once(inode, false, &conflict);
  if (conflict) flushed = settle_conflict(inode, false);
  if (!flushed && (flushed.error().code == ENOENT || flushed.error().code == ESTALE)) {
    // Not at any of its names. Unlinked by us, perhaps in this moment, or by the outside?
    bool unlinked = false, by_us = false;
    {
      const std::unique_lock names_lock(names_mutex_);
      const std::lock_guard lock(inode->mutex);
      unlinked = inode->unlinked;
      by_us = inode->removed_here && inode->names.empty();
    }
    if (!unlinked && by_us) give_up(inode);
    flushed = unlinked || by_us ? Status{} : settle_conflict(inode, true);
  }
  if (flushed || flushed.error().code == EALREADY) return flushed;
  const std::lock_guard lock(inode->mutex);
  if (inode->unlinked) return {};  // meanwhile
  ++flush_failures_;
  ++inode->flush_failures;
  inode->last_flush_error = flushed.error();
  const std::string name = inode->names.empty() ? "a file" : printable(inode->names.front().name);
  return fail(flushed.error().code, "flush of {}: {}", name, flushed.error().message());
}

Status MetaServer::flush_once(const InodePtr& inode, bool overwrite, bool* conflict) {
  const Status flushed = flush_stages(inode, overwrite, conflict);
  if (flushed && !*conflict) return {};
  // Not flushed, or in part: what the outside is now counts, and applications see no change.
  const Result<ChunkState> state = storage_.stat_file(inode->id);
  const std::lock_guard lock(inode->mutex);
  inode->flushing = false;
  if (state && state->exists && !*conflict) {
    inode->mtime0 = state->mtime0;
    inode->shown_ctime = inode->attributes.ctime;
  }
  note_change(*inode);
  return flushed;
}

Status MetaServer::flush_stages(const InodePtr& inode, bool overwrite, bool* conflict) {
  FlushBeginRequest request;
  request.id = inode->id;
  request.overwrite = overwrite;
  *conflict = false;
  ASSIGN_OR_RETURN(request.source, ref_of(inode));
  uint64_t epoch = 0;
  {
    // No own change may lie between what the target compares and what it has noted.
    const std::lock_guard change_lock(inode->change_mutex);
    {
      const std::lock_guard lock(inode->mutex);
      if (inode->striped() && inode->truncations > 0) return fail(EALREADY, "is being truncated");
      epoch = inode->dirty_epoch;
      inode->flushing = true;
      note_change(*inode);
    }
    ASSIGN_OR_RETURN(const FlushBeginReply begun, storage_.flush_begin(request));
    *conflict = begun.conflict;
    if (begun.conflict) return {};
  }
  if (Status moved = storage_.flush_move(inode->id); !moved) {
    // No part changes the external file any more: all take note of what it is then.
    storage_.flush_abort(inode->id);
    return moved;
  }
  return commit_flush(inode, epoch);
}

Status MetaServer::commit_flush(const InodePtr& inode, uint64_t epoch) {
  const std::lock_guard change_lock(inode->change_mutex);
  Result<FlushCommitReply> done = storage_.flush_commit({inode->id, {}, {}});
  if (!done) {
    storage_.flush_abort(inode->id);
    return Failure(std::move(done).error());
  }
  uint64_t changes = 0;
  bool clean = false;
  {
    const std::lock_guard lock(inode->mutex);
    changes = note_change(*inode);
    inode->flushing = false;
    inode->mtime0 = done->version;
    // Also if an own change makes the look below out of date: the client would cut its pages off at an older size.
    inode->attributes.size = done->version.size;
    inode->attributes.mtime = done->version.mtime;
    inode->outdated = false;
    inode->revoking = 0;  // what the client wrote is newer
    // A chmod after the last write is the later change.
    inode->shown_ctime = std::max(done->ctime, inode->attributes.ctime);
    inode->validated_at = {};
    clean = done->clean && inode->dirty_epoch == epoch;
  }
  // Before the dirty flag goes, the attributes are the flushed file's.
  if (const Result<consistency::Probe> probe = look(inode); probe) take_over(inode, *probe, changes);
  if (!clean) return {};
  if (const Result<ChunkState> state = storage_.stat_file(inode->id); state) {
    set_clean(inode, epoch, *state, done->leased);
  }
  return {};
}

Result<bool> MetaServer::settle_clean(const InodePtr& inode) {
  const uint64_t epoch = dirty_epoch_of(inode);
  ASSIGN_OR_RETURN(const SettleReply reply, storage_.settle(inode->id));
  if (reply.settled == Settled::kNewer) return false;
  set_clean(inode, epoch, reply.state, reply.settled == Settled::kUnchanged);
  return true;
}

void MetaServer::settle_clean(const std::vector<InodePtr>& inodes) {
  if (inodes.empty()) return;
  std::vector<InodeId> ids;
  std::vector<uint64_t> epochs;
  for (const InodePtr& inode : inodes) {
    ids.push_back(inode->id);
    epochs.push_back(dirty_epoch_of(inode));
  }
  const std::vector<Result<SettleReply>> replies = storage_.settle_many(ids);
  for (size_t i = 0; i < inodes.size(); ++i) {
    const Result<SettleReply>& reply = replies[i];
    if (!reply) log(Module::kMeta).warn("{}", reply.error().message());
    if (reply && reply->settled != Settled::kUnchanged) found_empty(inodes[i], reply->settled == Settled::kClean);
    if (!reply || reply->settled == Settled::kNewer) continue;
    set_clean(inodes[i], epochs[i], reply->state, reply->settled == Settled::kUnchanged);
  }
}

uint64_t MetaServer::dirty_epoch_of(const InodePtr& inode) {
  const std::lock_guard lock(inode->mutex);
  return inode->dirty_epoch;
}

void MetaServer::set_clean(const InodePtr& inode, uint64_t epoch, const ChunkState& state, bool leased) {
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->dirty_epoch != epoch) return;  // written meanwhile: mark_dirty() came between
    inode->dirty = leased;
    scheduler_.remove(inode->id);
    if (!leased) {
      inode->unseen_writer = false;
      const std::lock_guard dirty_lock(dirty_mutex_);
      dirty_.erase(inode->id);
    }
    const bool complete = state.exists && state.complete;  // written here, or fetched
    if (complete && !inode->cached) ++cached_files_;
    inode->cached = inode->cached || complete;
  }
  update_row(inode);
  used(inode);
}

void MetaServer::give_up(const InodePtr& inode) {
  bool open = false;
  {
    const std::lock_guard lock(inode->mutex);
    inode->unlinked = true;
    inode->names.clear();
    open = inode->opens > 0;
  }
  scheduler_.remove(inode->id);
  open ? keep_orphan_row(inode) : discard_copy(inode);
}

// The outside changed the file since it was cached, or removed it. Neither version is lost, unless the configuration
// says which one wins.
Status MetaServer::settle_conflict(const InodePtr& inode, bool gone_outside) {
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->unlinked)
      return fail(EBUSY, "changed outside after it was unlinked");  // there is no name to keep it under
  }
  ++conflict_count_;
  const consistency::Settlement settlement = consistency::settle(config_.consistency.conflict);
  const std::string path = printable(path_of(inode));
  if (settlement == consistency::Settlement::kOverwrite && !gone_outside) {
    log(Module::kConsistency).warn("conflict: {} changed outside; ours replaces it (cache-wins)", path);
    bool again = false;
    return flush_once(inode, true, &again);
  }

  std::string report;
  if (settlement == consistency::Settlement::kRevert) {
    report = fmt::format("conflict: {} changed outside; ours was dropped (external-wins)", path);
  } else {
    ASSIGN_OR_RETURN(std::string beside, keep_beside(inode));
    beside = printable(beside);
    report = fmt::format("conflict: {} {} outside; ours was kept as {}", path, gone_outside ? "was removed" : "changed",
                         beside);
  }
  log(Module::kConsistency).warn("{}", report);
  {
    // Before the file counts as clean: whoever waits for the flush looks here then.
    constexpr size_t kMostReports = 1000;
    const std::lock_guard lock(conflicts_mutex_);
    conflicts_.emplace_back(inode->id, report);
    if (conflicts_.size() > kMostReports) conflicts_.pop_front();
  }

  if (gone_outside) {
    give_up(inode);
  } else {
    ASSIGN_OR_RETURN(const consistency::Probe probe, look(inode));
    const Attributes ours = attributes_of(inode);
    uint64_t epoch = 0;
    {
      const std::lock_guard lock(inode->mutex);
      epoch = inode->dirty_epoch;
      inode->attributes = ours;
      begin_revocation(*inode);
    }
    const Status reverted = storage_.revert(inode->id, probe.version);
    revoke_pages(inode);
    RETURN_IF_ERROR(reverted);
    {
      const std::lock_guard lock(inode->mutex);
      inode->mtime0 = probe.version;
      inode->outdated = false;
      if (inode->cached) --cached_files_;
      inode->cached = false;
      note_change(*inode);
    }
    ASSIGN_OR_RETURN(const ChunkState state, storage_.stat_file(inode->id));
    set_clean(inode, epoch, state, state.leased);
    RETURN_IF_ERROR(refresh_for_client(inode));
  }
  return {};
}

evictor::FlushScheduler::Clock::time_point MetaServer::flush_due() const {
  const bool by_itself = config_.flush.policy != FlushPolicy::kManual;
  return by_itself ? std::chrono::steady_clock::now() + config_.flush.delay : evictor::FlushScheduler::kNever;
}

void MetaServer::data_changed(InodeId id) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return;
  found_empty(inode, false);
  {
    const std::lock_guard lock(inode->mutex);
    ++inode->dirty_epoch;
    if (inode->unlinked) return;
  }
  schedule_flush(*inode);
}

void MetaServer::schedule_flush(const Inode& inode) {
  if (!inode.transient) scheduler_.add(inode.id, flush_due());
}

void MetaServer::keep_dirty(const InodePtr& inode) {
  if (inode->transient) return;  // its row brings it back
  const std::lock_guard lock(dirty_mutex_);
  dirty_[inode->id] = inode;
}

void MetaServer::lease_settled(InodeId id) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return;
  if (Result<bool> clean = settle_clean(inode); !clean) log(Module::kMeta).warn("{}", clean.error().message());
}

Status MetaServer::mark_dirty(InodeId id, bool leased) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  if (!inode->is_file()) return fail(EINVAL, "inode {}: only files have data", id);
  bool unlinked = false, unseen = false;
  {
    const std::lock_guard lock(inode->mutex);
    inode->has_data = true;
    if (!fault_armed(Fault::kLoseDirtyBit)) inode->dirty = true;
    ++inode->dirty_epoch;
    unlinked = inode->unlinked;
    unseen = !leased && inode->writers == 0 && placement_.is_cluster();
    inode->unseen_writer = inode->unseen_writer || unseen;
  }
  if (unseen) {  // before the write is answered, as with a writer that is known (add_writer())
    const AnswerLeases::Requester nobody(0);
    answers_.changed(attributes_answer(inode));
  }
  if (!leased) found_empty(inode, false);
  keep_dirty(inode);
  used(inode);  // from now on the evictor counts on it
  // Also of an unlinked file that has a row: that may be known as dirty, and by its name, until this is committed.
  RETURN_IF_ERROR(store_inode(inode));
  if (!leased && !unlinked) schedule_flush(*inode);
  return {};
}

Status MetaServer::after_write(InodeId id) {
  if (config_.flush.policy == FlushPolicy::kWriteThrough) {
    ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
    return flush_inode(inode);
  }
  if (config_.flush.policy == FlushPolicy::kManual) return {};
  // More dirty data than max_dirty: who writes helps to bring it out, the oldest first.
  constexpr int kMostFlushes = 64;
  for (int flushes = 0; flushes < kMostFlushes; ++flushes) {
    const SpaceReport space = storage_.space();
    if (space.dirty_bytes <= config_.flush.max_dirty.of(space.capacity_bytes)) break;
    const InodeId oldest = scheduler_.oldest();
    const InodePtr inode = oldest == 0 ? nullptr : inodes_.find(oldest);
    // A failure is reported to those who have that file open; here it only means that nothing is gained.
    if (inode == nullptr || !flush_inode(inode)) break;
  }
  return {};
}

}  // namespace forebay::meta
