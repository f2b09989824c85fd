// Is what we know of an object still so outside, and what follows if not (paper 4.2: lazy polling).
#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

Status MetaServer::refresh(const InodePtr& inode, bool force) {
  uint64_t changes = 0;
  {
    const std::lock_guard lock(inode->mutex);
    if (!force && !freshness_.due(inode->validated_at, std::chrono::steady_clock::now())) return {};
    changes = inode->changes;
  }
  const Result<consistency::Probe> probe = look(inode);
  if (probe) {
    take_over(inode, *probe, changes);
    return {};
  }
  // A network file system knows nothing of an object without a name; who has it open goes on using what is here.
  const std::lock_guard lock(inode->mutex);
  if (!is_gone(probe.error()) || (!inode->unlinked && inode->opens == 0)) return Failure(probe.error());
  inode->attributes.link_count = 0;
  inode->validated_at = std::chrono::steady_clock::now();
  return {};
}

Status MetaServer::refresh_for_client(const InodePtr& inode) {
  RETURN_IF_ERROR(refresh(inode));
  return await_revocation(inode) ? refresh(inode) : Status{};
}

void MetaServer::take_over(const InodePtr& inode, const consistency::Probe& probe, uint64_t changes) {
  bool open = false;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->changes != changes) return;
    if (inode->flushing) {
      inode->validated_at = std::chrono::steady_clock::now();
      inode->attributes.mode = probe.attributes.mode;
      inode->attributes.uid = probe.attributes.uid;
      inode->attributes.gid = probe.attributes.gid;
      inode->attributes.link_count = probe.attributes.link_count;
      return;
    }
    // An empty file has a copy as well, as long as it is open.
    open = inode->opens > 0 && inode->is_file();
    const bool other_version = (inode->has_data || open) && !inode->outdated && !inode->changing &&
                               inode->revoking == 0 && !(inode->mtime0 == probe.version);
    if (!other_version || !open) accept(*inode, probe);
    if (!other_version) return;
  }
  const bool renamed = follow_rename(inode);
  if (!renamed && open && replace_copy(inode, probe)) return;
  const std::lock_guard lock(inode->mutex);
  if (inode->changes != changes) return;
  if (open) accept(*inode, probe);
  if (!renamed && !open) inode->outdated = true;  // then it is dropped by who opens it
}

void MetaServer::accept(Inode& inode, const consistency::Probe& probe) {
  inode.seen = probe.version;
  if (inode.revoking != 0) return;  // the attributes are taken over by the look after that
  inode.validated_at = std::chrono::steady_clock::now();
  inode.attributes = probe.attributes;
  if (inode.shown_ctime != FileTime{} && probe.version.ctime == inode.mtime0.ctime) {
    inode.attributes.ctime = inode.shown_ctime;
  }
}

// Of an open file. False: it stays, because it is newer, or its version is our own doing.
bool MetaServer::replace_copy(const InodePtr& inode, const consistency::Probe& probe) {
  bool first_data = false;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->revoking != 0) return true;  // somebody else is at it
    // Parts that are not newer themselves stay with one that is: together they are our side of a conflict.
    if (inode->dirty && inode->striped()) return false;
    first_data = !inode->has_data && !inode->unlinked;
    inode->has_data = inode->has_data || first_data;
    inode->revoking = Inode::kUndecided;  // nobody takes over the new attributes before the pages go
  }
  // The row is there before the data is.
  const Status stored = first_data ? store_inode(inode) : Status{};
  const Result<bool> dropped = stored ? storage_.outside_changed(inode->id, probe.version) : Failure(stored.error());
  if (!dropped) log(Module::kMeta).error("inode {}: {}", inode->id, dropped.error().message());
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->revoking == Inode::kUndecided) inode->revoking = 0;  // otherwise a fetch has found the same change
    if (dropped && *dropped) {
      log(Module::kMeta)
          .info("inode {}: the outside changed, the copy is dropped (mtime {}, ctime {}, size {})", inode->id,
                probe.version.mtime.total_nanoseconds() - inode->mtime0.mtime.total_nanoseconds(),
                probe.version.ctime.total_nanoseconds() - inode->mtime0.ctime.total_nanoseconds(),
                probe.version.size - inode->mtime0.size);
      if (inode->cached) --cached_files_;
      inode->cached = false;
      inode->mtime0 = inode->seen = probe.version;
      begin_revocation(*inode);
    }
  }
  if (!dropped || !*dropped) {
    wake_revocation_waiters();
    return false;
  }
  revoke_pages(inode);
  return true;
}

Result<Validator> MetaServer::revalidate(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  // An own change under way is not the outside's.
  const std::lock_guard change_lock(inode->change_mutex);
  ASSIGN_OR_RETURN(const consistency::Probe probe, look(inode));
  const std::lock_guard lock(inode->mutex);
  inode->mtime0 = probe.version;
  begin_revocation(*inode);
  accept(*inode, probe);
  return probe.version;
}

void MetaServer::copy_replaced(InodeId id) {
  if (const InodePtr inode = inodes_.find(id); inode != nullptr) revoke_pages(inode);
}

}  // namespace forebay::meta
