// Own changes of an external object (chmod, chown, utimens, xattrs, rename, link, unlink): they change its ctime, so
// without care the next look would take the copy for out of date, and a flush would see a conflict.
#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

Status MetaServer::own_change(const InodePtr& inode, Change kind, const std::function<Status()>& change) {
  if (inode == nullptr) return change();
  const AnswerLeases::Change answers(answers_, {attributes_answer(inode)});
  const std::lock_guard change_lock(inode->change_mutex);
  struct Changing {
    Inode& inode;
    ~Changing() {
      const std::lock_guard lock(inode.mutex);
      inode.changing = false;
    }
  } const changing{*inode};
  bool has_copy = false;
  {
    const std::lock_guard lock(inode->mutex);
    has_copy = inode->has_data || (inode->opens > 0 && inode->is_file());
    if (kind == Change::kRemoval && inode->opens == 0) has_copy = false;  // its version will interest nobody
    inode->changing = true;
  }
  const bool sets_mtime = kind == Change::kTimes;
  FdPtr fd;  // not by name: the change may be a rename
  Validator before;
  bool valid_before = false;
  if (has_copy) {
    ASSIGN_OR_RETURN(fd, path_fd(inode));
    // The target knows the version for sure; ours in memory may lag behind.
    ASSIGN_OR_RETURN(const ChunkState state, storage_.stat_file(inode->id));
    const Result<consistency::Probe> probe = external_.probe_fd(fd->get());
    before = state.mtime0;
    valid_before = probe && probe->version == before;
    // A crash between the change and its record must not look like somebody else's change. Of clean files too: they
    // may become dirty meanwhile.
    if (valid_before) RETURN_IF_ERROR(storage_.expect_version_change(inode->id, sets_mtime));
  }

  const Status changed = change();

  uint64_t changes = 0;
  {
    const std::lock_guard lock(inode->mutex);
    changes = note_change(*inode);
    inode->validated_at = {};
  }
  if (!has_copy) return changed;
  Result<consistency::Probe> after = external_.probe_fd(fd->get());
  // Where a descriptor leads by name, it leads nowhere after an unlink of that name; other links do.
  if (!after && is_gone(after.error())) after = look_by_names(inode);
  if (valid_before && after) {  // otherwise what was expected stands
    const bool data_untouched = after->version.size == before.size && after->version.inode == before.inode &&
                                (sets_mtime || after->version.mtime == before.mtime);
    const Validator now = data_untouched ? after->version : before;
    if (Status recorded = storage_.set_version(inode->id, before, now); !recorded) {
      log(Module::kMeta).warn("inode {}: {}", inode->id, recorded.error().message());
    }
    const std::lock_guard lock(inode->mutex);
    inode->mtime0 = now;
    inode->shown_ctime = {};
  }
  if (!after) return changed;
  take_over(inode, *after, changes);
  const std::lock_guard lock(inode->mutex);
  if (inode->flushing) {  // take_over() leaves the times alone then; this change is not the flush's
    inode->attributes.ctime = after->attributes.ctime;
    if (sets_mtime) inode->attributes.mtime = after->attributes.mtime;
  }
  return changed;
}

}  // namespace forebay::meta
