#include "xattrs.h"

#include <sys/xattr.h>

#include <algorithm>

namespace forebay::walk {

XattrTarget::XattrTarget(Side& side, const Op& op) {
  if (op.slot >= 0)
    fd_ = side.fd(op.slot);
  else
    path_ = side.absolute(op.place);
}

ssize_t XattrTarget::get(const char* name, void* value, size_t size) const {
  return fd_ >= 0 ? ::fgetxattr(fd_, name, value, size) : ::lgetxattr(path_.c_str(), name, value, size);
}

ssize_t XattrTarget::list(char* names, size_t size) const {
  return fd_ >= 0 ? ::flistxattr(fd_, names, size) : ::llistxattr(path_.c_str(), names, size);
}

int XattrTarget::set(const char* name, const std::string& value, int flags) const {
  return fd_ >= 0 ? ::fsetxattr(fd_, name, value.data(), value.size(), flags)
                  : ::lsetxattr(path_.c_str(), name, value.data(), value.size(), flags);
}

int XattrTarget::remove(const char* name) const {
  return fd_ >= 0 ? ::fremovexattr(fd_, name) : ::lremovexattr(path_.c_str(), name);
}

std::vector<std::string> split_names(const char* names, size_t size) {
  std::vector<std::string> found;
  for (const char* name = names; name < names + size; name += found.back().size() + 1) found.emplace_back(name);
  // XFS shows root its own copies of the access control lists.
  std::erase_if(found, [](const std::string& name) {
    return name.starts_with(kOwnXattrPrefix) || name.starts_with("trusted.SGI_ACL");
  });
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace forebay::walk
