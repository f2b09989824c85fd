#include "core/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/io.h"
#include "core/unique_fd.h"

namespace forebay {

Result<std::string> read_private_file(const std::string& what, const std::string& path, size_t most_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("{} {}", what, path);
  struct stat attributes = {};
  if (::fstat(fd.get(), &attributes) != 0) return fail_errno("{} {}", what, path);
  if ((attributes.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return fail(EINVAL, "{} {}: others may read or change it; chmod 600", what, path);
  }
  std::string content(most_bytes, '\0');
  const Result<size_t> bytes = pread_full(fd.get(), content.data(), content.size(), 0);
  if (!bytes) return fail(bytes.error().code, "{} {}", what, path);
  content.resize(*bytes);
  return content;
}

}  // namespace forebay
