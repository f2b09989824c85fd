// link, readlink.
#include <fcntl.h>
#include <unistd.h>

#include <climits>

#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {

Result<EntryReply> MetaServer::link(const Caller& caller, InodeId id, InodeId new_parent, std::string_view new_name) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(new_parent));
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  ASSIGN_OR_RETURN(const FdPtr directory, directory_fd(parent));
  const std::string name(new_name);
  RETURN_IF_ERROR(own_change(inode, Change::kAttributes, [&]() -> Status {
    const ActAs caller_rights(caller);
    const std::string path = consistency::proc_path(fd->get());
    if (::linkat(AT_FDCWD, path.c_str(), directory->get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0) return fail_errno();
    return {};
  }));
  bool was_unlinked = false;
  {
    const std::lock_guard lock(inode->mutex);
    was_unlinked = inode->unlinked;  // a file opened with O_TMPFILE gets its first name
    inode->unlinked = false;
    add_name(*inode, parent, new_name);
    ++inode->lookups;
  }
  touched(parent, name);
  bool stored = false, dirty = false;
  {
    const std::lock_guard lock(inode->mutex);
    stored = inode->stored;
    dirty = inode->dirty;
  }
  if (was_unlinked && dirty) {
    RETURN_IF_ERROR(mark_dirty(id, false));
  } else if (stored) {
    RETURN_IF_ERROR(store_inode(inode));
  }
  RETURN_IF_ERROR(refresh(inode));
  return entry_of(inode);
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
