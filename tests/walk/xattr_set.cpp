#include "xattr_set.h"

#include <fmt/format.h>
#include <sys/xattr.h>

#include <cerrno>
#include <vector>

#include "text.h"
#include "xattrs.h"

namespace forebay::walk {

std::map<std::string, std::string> read_xattrs(int directory, const std::string& name) {
  thread_local std::vector<char> buffer(65'536);
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory, name);
  std::map<std::string, std::string> found;
  const ssize_t size = ::llistxattr(path.c_str(), buffer.data(), buffer.size());
  if (size < 0) {
    found["listxattr: " + error_name(errno)] = "";
    return found;
  }
  for (const auto& key : split_names(buffer.data(), static_cast<size_t>(size))) {
    const ssize_t length = ::lgetxattr(path.c_str(), key.c_str(), buffer.data(), buffer.size());
    found[key] = length < 0 ? error_name(errno) : std::string(buffer.data(), static_cast<size_t>(length));
  }
  return found;
}

}  // namespace forebay::walk
