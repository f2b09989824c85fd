// rename, with NOREPLACE and EXCHANGE.
#include <fcntl.h>
#include <stdio.h>

#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {

// Where a moved object may be is recorded before it moves, if the database knows the object: after a crash the one of
// both names counts where the identity is found.
Result<InodePtr> MetaServer::prepare_move(const InodePtr& parent, int parent_fd, const std::string& name,
                                          const InodePtr& new_parent, const std::string& new_name) {
  const Result<consistency::Probe> probe = external_.probe_child(parent_fd, name.c_str());
  if (!probe) return InodePtr();
  if (probe->is_mount_root) return fail(EBUSY);
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.find_by_identity(probe->identity));
  if (inode == nullptr) return inode;
  bool stored = false;
  {
    const std::lock_guard lock(inode->mutex);
    add_name(*inode, parent, name);
    stored = inode->stored;
  }
  if (!stored) return inode;
  const uint64_t losses = store_->losses();
  RETURN_IF_ERROR(put_chain(new_parent, 1));
  RETURN_IF_ERROR(store_->put_intent(new_parent->id, new_name, inode->id));
  RETURN_IF_ERROR(store_->commit(losses));
  return inode;
}

void MetaServer::move_name(const InodePtr& inode, const InodePtr& parent, std::string_view name,
                           const InodePtr& new_parent, std::string_view new_name) {
  if (inode == nullptr) return;
  const std::lock_guard lock(inode->mutex);
  remove_name(*inode, *parent, name);
  add_name(*inode, new_parent, new_name);
}

void MetaServer::finish_move(const InodePtr& inode, const InodePtr& parent, std::string_view name,
                             const InodePtr& new_parent, std::string_view new_name, bool moved) {
  if (inode == nullptr) return;
  {
    const std::lock_guard lock(inode->mutex);
    if (!inode->stored) return;
  }
  if (moved) {
    (void)store_->delete_name(parent->id, name, inode->id);
    (void)store_->put_name(new_parent->id, new_name, inode->id);
  }
  (void)store_->delete_intents(inode->id);
}

Status MetaServer::rename(const Caller& caller, InodeId parent_id, std::string_view name_view, InodeId new_parent_id,
                          std::string_view new_name_view, unsigned flags) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  ASSIGN_OR_RETURN(const InodePtr new_parent, inodes_.get(new_parent_id));
  ASSIGN_OR_RETURN(const FdPtr from, directory_fd(parent));
  ASSIGN_OR_RETURN(const FdPtr to, directory_fd(new_parent));
  const std::string name(name_view), new_name(new_name_view);
  const AnswerLeases::Change answers(answers_, listing_answers(parent)),
      answers_of_new(answers_, listing_answers(new_parent));

  ASSIGN_OR_RETURN(const InodePtr moved, prepare_move(parent, from->get(), name, new_parent, new_name));
  InodePtr swapped;
  Victim victim;
  if ((flags & RENAME_EXCHANGE) != 0) {
    ASSIGN_OR_RETURN(swapped, prepare_move(new_parent, to->get(), new_name, parent, name));
  } else if ((flags & RENAME_NOREPLACE) == 0) {
    ASSIGN_OR_RETURN(victim, prepare_victim(new_parent, to->get(), new_name));
  }
  // Two names of one object: POSIX says that nothing happens.
  const bool same = moved != nullptr && (moved == victim.inode || moved == swapped);

  const auto move = [&]() -> Status {
    const std::shared_lock names_lock(names_mutex_);
    {
      const ActAs caller_rights(caller);
      if (::renameat2(from->get(), name.c_str(), to->get(), new_name.c_str(), flags) != 0) return fail_errno();
    }
    if (same) return {};
    take_name(victim, new_parent, new_name);
    move_name(moved, parent, name, new_parent, new_name);
    move_name(swapped, new_parent, new_name, parent, name);
    return {};
  };
  // Each object whose ctime changes keeps its copy: the moved one, and the swapped or replaced one. Both are locked at
  // once, in the order of their numbers, so that two renames can't wait for each other.
  InodePtr first = moved;
  InodePtr second = same ? nullptr : (swapped != nullptr ? swapped : victim.inode);
  if (first != nullptr && second != nullptr && second->id < first->id) std::swap(first, second);
  const Status done =
      own_change(first, Change::kAttributes, [&] { return own_change(second, Change::kAttributes, move); });

  const bool happened = static_cast<bool>(done) && !same;
  if (!same) finish_victim(victim, new_parent, new_name);
  finish_move(moved, parent, name, new_parent, new_name, happened);
  finish_move(swapped, new_parent, new_name, parent, name, happened);
  if (happened) {
    answers_.name_moved(parent_id, new_parent_id);
    if (swapped != nullptr) answers_.name_moved(new_parent_id, parent_id);
    touched(parent, {});
    touched(new_parent, new_name);
  }
  return done;
}

}  // namespace forebay::meta
