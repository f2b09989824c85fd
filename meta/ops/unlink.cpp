// unlink, rmdir, and what both share with rename: an object that may lose its last name.
#include <fcntl.h>
#include <unistd.h>

#include "core/log.h"
#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {

// A crash after the external unlink and before our record of it must not make the next start take a dirty file for one
// that the outside deleted (which would bring it back as a conflict). So the intent is recorded first; recovery sees
// it, and looks whether the object is still there. With links left, the data must be found through one of those: they
// are in the database first, or the data is outside.
Result<MetaServer::Victim> MetaServer::prepare_victim(const InodePtr& parent, int parent_fd, const std::string& name,
                                                      const std::optional<OwnedObject>& planned) {
  Victim victim;
  Result<UniqueFd> fd = consistency::ExternalTree::open_child(parent_fd, name.c_str(), O_PATH);
  const Result<consistency::Probe> probe = fd ? external_.probe_fd(fd->get()) : Failure(fd.error());
  if (planned) RETURN_IF_ERROR(expect_planned(probe, *planned));
  if (!probe) return victim;
  if (probe->is_mount_root) return fail(EBUSY);  // what is mounted in our own namespace the kernel does not protect
  victim.link_count = probe->attributes.link_count;
  ASSIGN_OR_RETURN(victim.inode, inodes_.find_by_identity(probe->identity));
  if (victim.inode == nullptr) return victim;
  victim.fd = std::make_shared<UniqueFd>(*std::move(fd));
  bool dirty = false, stored = false, other_names = false;
  {
    const std::lock_guard lock(victim.inode->mutex);
    add_name(*victim.inode, parent, name);
    if (victim.inode->attributes.mode == 0) victim.inode->attributes = probe->attributes;
    dirty = victim.inode->dirty || victim.inode->writers > 0;  // or in a moment, by a write that is under way
    stored = victim.inode->stored;
    other_names = victim.inode->names.size() > 1;
  }
  if (!dirty) return victim;
  if (victim.link_count == 1) {
    const uint64_t losses = store_->losses();
    if (!stored) RETURN_IF_ERROR(put_chain(victim.inode, 0));
    RETURN_IF_ERROR(store_->put_intent(0, "", victim.inode->id));
    RETURN_IF_ERROR(store_->commit(losses));
  } else if (other_names || victim.inode->transient) {
    RETURN_IF_ERROR(store_inode(victim.inode));
  } else {
    RETURN_IF_ERROR(flush_inode(victim.inode));
  }
  return victim;
}

void MetaServer::take_name(Victim& victim, const InodePtr& parent, std::string_view name) {
  if (victim.inode == nullptr) return;
  victim.gone = true;
  {
    const std::lock_guard lock(victim.inode->mutex);
    remove_name(*victim.inode, *parent, name);
  }
  // Other links may come and go at the same time: what the object itself says counts. On a network file system it may
  // say nothing any more, because it has no name left, or because this one was the way to it.
  const Result<consistency::Probe> left = external_.probe_fd(victim.fd->get());
  if (left) {
    victim.last = S_ISDIR(left->attributes.mode) || left->attributes.link_count == 0;
  } else {
    victim.last = (victim.link_count == 1 || victim.inode->is_directory()) && !look_by_names(victim.inode);
  }
  const std::lock_guard lock(victim.inode->mutex);
  if (victim.last) {
    victim.inode->unlinked = true;
    victim.inode->names.clear();
  }
  if (victim.inode->names.empty()) {
    victim.inode->removed_here = true;
    victim.inode->fd = victim.fd;  // no other way leads there
  } else if (!left) {
    victim.inode->fd.reset();
  }
}

void MetaServer::finish_victim(const Victim& victim, const InodePtr& parent, std::string_view name) {
  if (victim.inode == nullptr) return;
  const InodePtr& inode = victim.inode;
  bool stored = false, open = false, known = false, has_data = false;
  {
    const std::lock_guard lock(inode->mutex);
    if (victim.last) {
      note_change(*inode);
      inode->validated_at = {};
    }
    stored = inode->stored;
    open = inode->opens > 0;
    known = inode->lookups > 0;
    has_data = inode->has_data;
  }
  if (!victim.last) {
    if (stored && victim.gone) (void)store_->delete_name(parent->id, name, inode->id);
    if (stored) (void)store_->delete_intents(inode->id);
    return;
  }
  scheduler_.remove(inode->id);  // nobody will look for it outside
  // The data goes with the last release() or forget(), and who has it open may be about to write the first.
  if (open || (has_data && known)) return keep_orphan_row(inode);
  if (has_data) return discard_copy(inode);
  if (stored) erase_row(inode);
}

// The data of a file that has no name any more, or never will.
void MetaServer::discard_copy(const InodePtr& inode) {
  scheduler_.remove(inode->id);
  evictors_.remove(inode->id);
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

Status MetaServer::remove(const Caller& caller, InodeId parent_id, std::string_view name_view, int at_flags) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  ASSIGN_OR_RETURN(const FdPtr directory, directory_fd(parent));
  const std::string name(name_view);
  const AnswerLeases::Change answers(answers_, listing_answers(parent));
  const auto remove_it = [&] {
    const NameLocks::Hold held = name_locks_.hold(parent_id, name);
    return ownership_.alone() ? remove_own(caller, parent, directory, name, at_flags, {})
                              : remove_at_owner(caller, parent, directory, name, at_flags);
  };
  const Status removed = remove_it();
  if (removed) touched(parent, {});
  return removed;
}

Status MetaServer::remove_at_owner(const Caller& caller, const InodePtr& parent, const FdPtr& directory,
                                   const std::string& name, int at_flags) {
  for (int tries = 0; tries < kMostPlans; ++tries) {
    const Result<consistency::Probe> probe = external_.probe_child(directory->get(), name.c_str());
    if (!probe) return remove_own(caller, parent, directory, name, at_flags, {});  // the outside says why not
    ASSIGN_OR_RETURN(const uint32_t owner, owner_of_object(*probe));
    const bool ours = owner == ownership_.self();
    const OwnedObject planned{probe->identity, probe->attributes.mode & S_IFMT, owner};
    const Status removed = ours ? remove_own(caller, parent, directory, name, at_flags, planned)
                                : remove_of_other(caller, parent, name, at_flags, planned);
    if (removed && !ours && probe->attributes.link_count == 1) (void)store_->delete_foreign(probe->identity);
    if (removed || removed.error().code != EAGAIN) return removed;
  }
  return fail(EAGAIN, "a name that changes all the time");
}

Status MetaServer::remove_of_other(const Caller& caller, const InodePtr& parent, const std::string& name, int at_flags,
                                   const OwnedObject& planned) {
  ASSIGN_OR_RETURN(const auto peer, ownership_.peer(planned.owner));
  return peer->remove_object(
      {{caller, AnswerLeases::requester()}, parent->id, name, planned.identity, at_flags == AT_REMOVEDIR});
}

Status MetaServer::remove_object(const RemoveStep& step) {
  const AnswerLeases::Requester requester(step.by.session);
  ASSIGN_OR_RETURN(const InodePtr parent, directory(step.parent));
  ASSIGN_OR_RETURN(const FdPtr fd, directory_fd(parent));
  const mode_t type = step.directory ? S_IFDIR : S_IFREG;
  const Status removed = remove_own(step.by.caller, parent, fd, step.name, step.directory ? AT_REMOVEDIR : 0,
                                    OwnedObject{step.identity, type, ownership_.self()});
  inodes_.release(parent);
  return removed;
}

Status MetaServer::remove_own(const Caller& caller, const InodePtr& parent, const FdPtr& directory,
                              const std::string& name, int at_flags, const std::optional<OwnedObject>& planned) {
  ASSIGN_OR_RETURN(Victim victim, prepare_victim(parent, directory->get(), name, planned));
  const Change kind = victim.link_count == 1 ? Change::kRemoval : Change::kAttributes;
  const Status removed = own_change(victim.inode, kind, [&]() -> Status {
    const std::shared_lock names_lock(names_mutex_);
    {
      const ActAs caller_rights(caller);
      if (::unlinkat(directory->get(), name.c_str(), at_flags) != 0) return fail_errno();
    }
    take_name(victim, parent, name);
    return {};
  });
  finish_victim(victim, parent, name);
  return removed;
}

Status MetaServer::unlink(const Caller& caller, InodeId parent, std::string_view name) {
  return remove(caller, parent, name, 0);
}

Status MetaServer::rmdir(const Caller& caller, InodeId parent, std::string_view name) {
  return remove(caller, parent, name, AT_REMOVEDIR);
}

}  // namespace forebay::meta
