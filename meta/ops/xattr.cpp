// Extended attributes and, through them, POSIX ACLs: the outside's.
#include <sys/xattr.h>

#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {
namespace {

// The kernel's limits (XATTR_SIZE_MAX, XATTR_LIST_MAX).
constexpr size_t kMostBytes = 64 << 10;
// Enough for an ACL; `ls -l` asks for one of each file.
constexpr size_t kUsualBytes = 512;

}  // namespace

Result<std::string> MetaServer::getxattr(const Caller& caller, InodeId id, const std::string& name) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  const std::string path = consistency::proc_path(fd->get());
  std::string value(kUsualBytes, '\0');
  const ActAs caller_rights(caller);
  ssize_t bytes = ::getxattr(path.c_str(), name.c_str(), value.data(), value.size());
  if (bytes < 0 && errno == ERANGE) {
    value.resize(kMostBytes);
    bytes = ::getxattr(path.c_str(), name.c_str(), value.data(), value.size());
  }
  if (bytes < 0) return fail_errno();
  value.resize(static_cast<size_t>(bytes));
  return value;
}

Result<std::string> MetaServer::listxattr(const Caller& caller, InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  std::string names(kMostBytes, '\0');
  const ActAs caller_rights(caller);
  const ssize_t bytes = ::listxattr(consistency::proc_path(fd->get()).c_str(), names.data(), names.size());
  if (bytes < 0) return fail_errno();
  names.resize(static_cast<size_t>(bytes));
  return names;
}

Status MetaServer::setxattr(const Caller& caller, InodeId id, const std::string& name, std::string_view value,
                            int flags) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  return own_change(inode, Change::kAttributes, [&]() -> Status {
    const ActAs caller_rights(caller);
    const std::string path = consistency::proc_path(fd->get());
    if (::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), flags) != 0) return fail_errno();
    const std::lock_guard lock(inode->mutex);
    inode->maybe_capable = true;
    return {};
  });
}

Status MetaServer::removexattr(const Caller& caller, InodeId id, const std::string& name) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  return own_change(inode, Change::kAttributes, [&]() -> Status {
    const ActAs caller_rights(caller);
    if (::removexattr(consistency::proc_path(fd->get()).c_str(), name.c_str()) != 0) return fail_errno();
    return {};
  });
}

}  // namespace forebay::meta
