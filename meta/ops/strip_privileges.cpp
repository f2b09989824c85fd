// strip_privileges: who changes a program's data does not leave it setuid.
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>

#include "meta/server.h"

namespace forebay::meta {
namespace {

constexpr char kCapability[] = "security.capability";

mode_t without_set_id_bits(const Caller& caller, mode_t mode, gid_t group) {
  mode &= ~static_cast<mode_t>(S_ISUID);
  // Without execution by the group, setgid once meant mandatory locking, and stays for members of the group and for
  // root.
  const bool member = caller.uid == 0 || caller.gid == group ||
                      std::find(caller.groups.begin(), caller.groups.end(), group) != caller.groups.end();
  if ((mode & S_IXGRP) != 0 || !member) mode &= ~static_cast<mode_t>(S_ISGID);
  return mode & 07777;
}

}  // namespace

bool MetaServer::loses_privileges(const Caller& caller, Inode& inode) {
  const std::lock_guard lock(inode.mutex);
  const mode_t mode = inode.attributes.mode & 07777;
  return without_set_id_bits(caller, mode, inode.attributes.gid) != mode;
}

Status MetaServer::strip_privileges(const Caller& caller, InodeId id, bool set_id_bits) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  bool maybe_capable = false;
  mode_t mode = 0, wanted = 0;
  {
    const std::lock_guard lock(inode->mutex);
    maybe_capable = inode->maybe_capable;
    inode->maybe_capable = false;
    mode = wanted = inode->attributes.mode & 07777;
    if (set_id_bits) wanted = without_set_id_bits(caller, mode, inode->attributes.gid);
  }
  if (!maybe_capable && mode == wanted) return {};
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  const std::string path = consistency::proc_path(fd->get());
  const bool capable = maybe_capable && ::getxattr(path.c_str(), kCapability, nullptr, 0) > 0;
  if (!capable && mode == wanted) return {};
  const Status stripped = own_change(inode, Change::kAttributes, [&]() -> Status {
    if (capable && ::removexattr(path.c_str(), kCapability) != 0) return fail_errno();
    if (mode != wanted && ::chmod(path.c_str(), wanted) != 0) return fail_errno();
    return {};
  });
  SetAttributes change;
  change.set_mode = true;
  change.mode = wanted;
  if (!stripped && !change_nameless(inode, change, stripped.error())) return stripped;
  return {};
}

}  // namespace forebay::meta
