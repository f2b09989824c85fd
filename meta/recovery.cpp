// Recovery: what an earlier run left. The database says which files have data here and which of them are dirty; the
// targets know what exactly. Files are looked at one by one only when they are dirty.
#include <algorithm>

#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {
namespace {

bool is_out_of_reach(const Error& error) {
  return error.code == ENXIO || error.code == EHOSTUNREACH || error.code == ECONNREFUSED || error.code == ECONNRESET ||
         error.code == ETIMEDOUT;
}

}  // namespace

Status MetaServer::recover() {
  // Clients of a cluster that were here before know them by their numbers.
  if (!placement_.is_cluster()) RETURN_IF_ERROR(forget_unused_directories());
  ASSIGN_OR_RETURN(const consistency::Probe root, external_.probe_fd(external_.root_fd()));
  const std::string identity = fmt::format("{}:{}", root.identity.inode, root.identity.birth.total_nanoseconds());
  ASSIGN_OR_RETURN(const std::string known, store_->setting("root"));
  std::vector<InodeId> dirty;
  ASSIGN_OR_RETURN(const std::vector<FileRow> files, store_->files());
  for (const FileRow& row : files) {
    access_clock_ = std::max(access_clock_.load(), row.last_access + 1);
    if (row.cached) ++cached_files_;
    if (row.transient) continue;
    if (row.dirty) dirty.push_back(row.id);
    const auto& layout = row.layout != nullptr ? row.layout : placement_.plain();
    if (row.has_data && !row.pinned) evictors_.touch(layout->targets, row.id);
  }
  // An empty directory where a file system should be mounted would look as if all files had been removed.
  if (!dirty.empty() && !known.empty() && known != identity) {
    return fail(ENXIO,
                "external directory {}: is not the one that this cache has data for ({} files); is its file "
                "system mounted?",
                external_.path(), dirty.size());
  }
  if (known != identity) RETURN_IF_ERROR(store_->put_setting("root", identity));
  for (const InodeId id : dirty) {
    const Status recovered = recover_dirty(id);
    if (!recovered && !is_out_of_reach(recovered.error())) return recovered;
    if (!recovered) RETURN_IF_ERROR(recover_later(id, recovered.error()));
  }
  ASSIGN_OR_RETURN(const std::vector<InodeId> unsettled, store_->with_intents());
  for (const InodeId id : unsettled) RETURN_IF_ERROR(recover_intent(id));
  if (!dirty.empty()) {
    log(Module::kMeta).info("{} files with data that is not outside yet were taken up", scheduler_.count());
  }
  return store_->commit();
}

// Of files without a name that were in use, of clean files that were renamed, and of those that were transient.
Status MetaServer::recover_intent(InodeId id) {
  InodeRow row;
  ASSIGN_OR_RETURN(const bool known, store_->find_by_id(id, &row));
  if (!known) return store_->delete_intents(id);
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  ASSIGN_OR_RETURN(const bool unlinked, finish_unlink(inode, look(inode)));
  if (!unlinked) RETURN_IF_ERROR(settle_names(inode));
  inodes_.release(inode);
  return {};
}

// True if it was unlinked before the crash came, and nothing but its copy was left.
Result<bool> MetaServer::finish_unlink(const InodePtr& inode, const Result<consistency::Probe>& probe) {
  if (probe || !is_gone(probe.error())) return false;
  ASSIGN_OR_RETURN(const std::vector<DentryRow> intents, store_->intents_of(inode->id));
  if (std::none_of(intents.begin(), intents.end(), [](const DentryRow& row) { return row.parent == 0; })) return false;
  discard_copy(inode);
  return true;
}

// Its target is on a node that is not there now. What is on it is dirty still, and flushed when it is back.
Status MetaServer::recover_later(InodeId id, const Error& error) {
  log(Module::kMeta).warn("inode {}: has data that is not outside yet, and is out of reach: {}", id, error.message());
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  keep_dirty(inode);
  schedule_flush(*inode);
  return {};
}

Status MetaServer::recover_dirty(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  const Result<consistency::Probe> probe = look(inode);
  ASSIGN_OR_RETURN(const bool unlinked, finish_unlink(inode, probe));
  if (unlinked) {
    inodes_.release(inode);
    return {};
  }
  RETURN_IF_ERROR(settle_names(inode));
  if (probe) {
    take_over(inode, *probe, inode->changes);
    RETURN_IF_ERROR(storage_.settle_expectation(id, probe->version));
  }
  RETURN_IF_ERROR(storage_.settle(id));
  ASSIGN_OR_RETURN(const ChunkState state, storage_.stat_file(id));
  if (!state.dirty && !state.leased) {  // flushed, or never written: only the flag was late
    const std::lock_guard lock(inode->mutex);
    inode->dirty = false;
    inode->mtime0 = state.mtime0;
    return store_->put_inode(row_of(*inode));
  }
  {
    const std::lock_guard lock(inode->mutex);
    inode->mtime0 = state.mtime0;
  }
  keep_dirty(inode);
  if (state.dirty) schedule_flush(*inode);
  return {};
}

Status MetaServer::settle_names(const InodePtr& inode) {
  std::vector<Name> kept;
  bool sure = true;  // the outside could be asked
  for (const Name& name : names_of(*inode)) {
    const Result<FdPtr> parent = path_fd(name.parent);
    const Result<consistency::Probe> probe = parent ? external_.probe_child((*parent)->get(), name.name.c_str())
                                                    : Result<consistency::Probe>(Failure(parent.error()));
    const bool unknown = !probe && !is_gone(probe.error());
    sure = sure && !unknown;
    if (unknown || (probe && probe->identity == inode->identity)) kept.push_back(name);
  }
  if (!sure) return {};  // the next start asks again
  if (!kept.empty()) {   // at none of them: the flush that finds this out needs one to keep the file beside
    const std::lock_guard lock(inode->mutex);
    inode->names = kept;
  }
  RETURN_IF_ERROR(store_->delete_names(inode->id));
  RETURN_IF_ERROR(store_->delete_intents(inode->id));
  return put_chain(inode, 0);
}

}  // namespace forebay::meta
