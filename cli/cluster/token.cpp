#include "cli/cluster/token.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/io.h"
#include "core/unique_fd.h"

namespace forebay::cli {

Result<std::string> random_hex(size_t bytes) {
  std::string random(bytes, '\0');
  // Up to 256 bytes come whole.
  if (::getrandom(random.data(), bytes, 0) != static_cast<ssize_t>(bytes)) return fail_errno("getrandom");
  std::string hex;
  for (const char c : random) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

ExternalToken::~ExternalToken() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Status ExternalToken::write(const std::string& external) {
  ASSIGN_OR_RETURN(const std::string name, random_hex(8));
  ASSIGN_OR_RETURN(content_, random_hex(16));
  const std::string path = fmt::format("{}/.forebay-token-{}", external, name);
  // Readable by all: on a node root may be nobody to an NFS server.
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) return fail_errno("external directory {}", external);
  path_ = path;
  if (const Status written = pwrite_full(file.get(), content_.data(), content_.size(), 0); !written) {
    return fail(written.error().code, "external directory {}", external);
  }
  if (::fsync(file.get()) != 0) return fail_errno("external directory {}", external);
  return {};
}

}  // namespace forebay::cli
