// unlink, rmdir, and what both share with rename: an object that may lose its last name.
#include <fcntl.h>
#include <unistd.h>

#include "core/log.h"
#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {

// A crash after the external unlink and before our record of it must not make the next start take a dirty file for one
// that the outside deleted (which would bring it back as a conflict). So the intent is recorded first; recovery sees
// it, and looks whether the object is still there.
Result<MetaServer::Victim> MetaServer::prepare_victim(const InodePtr& parent, int parent_fd, const std::string& name) {
  Victim victim;
  const Result<consistency::Probe> probe = external_.probe_child(parent_fd, name.c_str());
  if (!probe) return victim;
  ASSIGN_OR_RETURN(victim.inode, inodes_.find_by_identity(probe->identity));
  if (victim.inode == nullptr) return victim;
  {
    const std::lock_guard lock(victim.inode->mutex);
    add_name(*victim.inode, parent, name);
    if (victim.inode->attributes.mode == 0) victim.inode->attributes = probe->attributes;
  }
  const bool is_directory = S_ISDIR(probe->attributes.mode);
  victim.last_link = is_directory || probe->attributes.link_count == 1;
  bool dirty = false;
  {
    const std::lock_guard lock(victim.inode->mutex);
    dirty = victim.inode->dirty;
  }
  // The descriptor keeps the object within reach of those who have it open.
  if (victim.last_link) RETURN_IF_ERROR(hold_fd(victim.inode));
  if (victim.last_link && dirty) {
    RETURN_IF_ERROR(store_->put_intent(0, "", victim.inode->id));
    RETURN_IF_ERROR(store_->commit());
  }
  return victim;
}

void MetaServer::finish_victim(const Victim& victim, const InodePtr& parent, std::string_view name, bool gone) {
  if (victim.inode == nullptr) return;
  const InodePtr& inode = victim.inode;
  bool stored = false, open = false, known = false, has_data = false;
  {
    const std::lock_guard lock(inode->mutex);
    stored = inode->stored;
    if (gone) {
      remove_name(*inode, *parent, name);
      inode->unlinked = victim.last_link;
      if (victim.last_link) inode->names.clear();
      note_change(*inode);
      inode->validated_at = {};
    }
    open = inode->opens > 0;
    known = inode->lookups > 0;
    has_data = inode->has_data;
    if ((!gone || !victim.last_link) && !open && !inode->is_directory()) inode->fd.reset();
  }
  if (!gone || !victim.last_link) {
    if (stored && gone) (void)store_->delete_name(parent->id, name, inode->id);
    if (stored) (void)store_->delete_intents(inode->id);
    return;
  }
  scheduler_.remove(inode->id);  // nothing to flush it to
  evictor_.remove(inode->id);
  if (stored) erase_row(inode);
  if (!has_data && !open) return;
  if (open || known) {
    storage_.source_unlinked(inode->id);  // until the last release() or forget()
  } else {
    discard_copy(inode);
  }
}

// The data of a file that has no name any more, or never will.
void MetaServer::discard_copy(const InodePtr& inode) {
  scheduler_.remove(inode->id);
  evictor_.remove(inode->id);
  if (Status discarded = storage_.discard(inode->id); !discarded) {
    log(Module::kMeta).warn("inode {}: {}", inode->id, discarded.error().message());
  }
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->cached) --cached_files_;
    inode->has_data = inode->cached = inode->dirty = false;
  }
  erase_row(inode);
  const std::lock_guard lock(dirty_mutex_);
  dirty_.erase(inode->id);
}

Status MetaServer::unlink(const Caller& caller, InodeId parent_id, std::string_view name_view) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  ASSIGN_OR_RETURN(const FdPtr directory, path_fd(parent));
  const std::string name(name_view);
  ASSIGN_OR_RETURN(const Victim victim, prepare_victim(parent, directory->get(), name));
  const auto remove = [&]() -> Status {
    const ActAs caller_rights(caller);
    if (::unlinkat(directory->get(), name.c_str(), 0) != 0) return fail_errno();
    return {};
  };
  // With a hard link left, this is a change of that object's ctime.
  const bool stays = victim.inode != nullptr && !victim.last_link;
  const Status removed = stays ? own_change(victim.inode, false, remove) : remove();
  finish_victim(victim, parent, name, static_cast<bool>(removed));
  if (removed) touched(parent);
  return removed;
}

Status MetaServer::rmdir(const Caller& caller, InodeId parent_id, std::string_view name_view) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  ASSIGN_OR_RETURN(const FdPtr directory, path_fd(parent));
  const std::string name(name_view);
  ASSIGN_OR_RETURN(const Victim victim, prepare_victim(parent, directory->get(), name));
  Status removed;
  {
    const ActAs caller_rights(caller);
    if (::unlinkat(directory->get(), name.c_str(), AT_REMOVEDIR) != 0) removed = fail_errno();
  }
  finish_victim(victim, parent, name, static_cast<bool>(removed));
  if (removed) touched(parent);
  return removed;
}

}  // namespace forebay::meta
