// link, readlink.
#include <fcntl.h>
#include <unistd.h>

#include <climits>

#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {

// A file opened with O_TMPFILE is in no database. Its data must be found by its first name from the moment on when the
// outside has that name; a crash before that moment leaves a file with no name at all, as one that was unlinked.
Status MetaServer::intend_first_name(const InodePtr& inode, const InodePtr& parent, std::string_view name) {
  {
    const std::lock_guard lock(inode->mutex);
    if (!inode->dirty && inode->writers == 0) return {};
  }
  const uint64_t losses = store_->losses();
  RETURN_IF_ERROR(put_chain(parent, 1));
  {
    const std::lock_guard lock(inode->mutex);
    InodeRow row = row_of(*inode);
    row.dirty = row.has_data = true;  // or in a moment, by a write that is under way
    RETURN_IF_ERROR(store_->put_inode(row));
    inode->stored = true;
  }
  RETURN_IF_ERROR(store_->put_intent(parent->id, name, inode->id));
  RETURN_IF_ERROR(store_->put_intent(0, "", inode->id));
  return store_->commit(losses);
}

Result<EntryReply> MetaServer::link(const Caller& caller, InodeId id, InodeId new_parent, std::string_view new_name) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(new_parent));
  const AnswerLeases::Change answers(answers_, listing_answers(parent));
  const std::string name(new_name);
  const NameLocks::Hold held = name_locks_.hold(new_parent, name);
  if (!ownership_.is_own(id)) return link_of_other(caller, id, parent, name);
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  RETURN_IF_ERROR(link_own(caller, inode, parent, name));
  touched(parent, name);
  {
    const std::lock_guard lock(inode->mutex);
    ++inode->lookups;
  }
  const auto valid_for = names_valid_for(parent);
  RETURN_IF_ERROR(refresh(inode));
  return named_entry(inode, valid_for);
}

Result<EntryReply> MetaServer::link_of_other(const Caller& caller, InodeId id, const InodePtr& parent,
                                             const std::string& name) {
  const uint32_t owner = owner_of(id);
  ASSIGN_OR_RETURN(const auto peer, ownership_.peer(owner));
  ASSIGN_OR_RETURN(const ObjectPlaces object, peer->where(id, {}, patience()));
  if (object.transient != parent->transient) return fail(EXDEV);
  RETURN_IF_ERROR(note_foreign(object.identity, owner));  // before it is in a directory of ours
  RETURN_IF_ERROR(peer->link_object({{caller, AnswerLeases::requester()}, id, parent->id, name}));
  touched(parent, name);
  return elsewhere(object.identity, owner, names_valid_for(parent));
}

Status MetaServer::link_object(const LinkStep& step) {
  const AnswerLeases::Requester requester(step.by.session);
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(step.id));
  ASSIGN_OR_RETURN(const InodePtr parent, directory(step.parent));
  return link_own(step.by.caller, inode, parent, step.name);
}

Status MetaServer::link_own(const Caller& caller, const InodePtr& inode, const InodePtr& parent,
                            const std::string& name) {
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  ASSIGN_OR_RETURN(const FdPtr directory, directory_fd(parent));
  bool nameless = false;
  {
    const std::lock_guard lock(inode->mutex);
    nameless = inode->unlinked && inode->is_file();
  }
  if (nameless) RETURN_IF_ERROR(intend_first_name(inode, parent, name));
  const Status linked = own_change(inode, Change::kAttributes, [&]() -> Status {
    const ActAs caller_rights(caller);
    const std::string path = consistency::proc_path(fd->get());
    if (::linkat(AT_FDCWD, path.c_str(), directory->get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0) return fail_errno();
    return {};
  });
  if (!linked) {
    if (nameless) erase_row(inode);
    return linked;
  }
  bool stored = false, dirty = false;
  {
    const std::lock_guard lock(inode->mutex);
    inode->unlinked = false;
    add_name(*inode, parent, name);
    stored = inode->stored;
    dirty = inode->dirty;
  }
  if (nameless && dirty) {
    RETURN_IF_ERROR(mark_dirty(inode->id, false));
  } else if (stored) {
    RETURN_IF_ERROR(store_inode(inode));
  }
  if (nameless) (void)store_->delete_intents(inode->id);
  if (nameless && dirty) (void)after_write(inode->id);  // write-through: what was written is outside now, or scheduled
  return {};
}

Result<std::string> MetaServer::readlink(const Caller& caller, InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  std::string target(PATH_MAX, '\0');
  const ActAs caller_rights(caller);
  const ssize_t bytes = ::readlinkat(fd->get(), "", target.data(), target.size());
  if (bytes < 0) return fail_errno();
  target.resize(static_cast<size_t>(bytes));
  return target;
}

}  // namespace forebay::meta
