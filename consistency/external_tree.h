// ExternalTree: the external directory of a link, opened once; everything outside is reached through its descriptor,
// one level at a time or by a path below it, and never leaves it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "consistency/probe.h"
#include "core/protocol/types.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::consistency {

class ExternalTree {
 public:
  // ENOENT, ENOTDIR, EACCES, ... with the path.
  static Result<std::unique_ptr<ExternalTree>> open(const std::string& path);

  const std::string& path() const { return path_; }
  int root_fd() const { return root_.get(); }
  dev_t device() const { return device_; }

  // Opens one name of a directory; never follows a symlink and never leaves the directory. `flags` as openat(2).
  // Thread safe.
  static Result<UniqueFd> open_child(int directory_fd, const char* name, int flags);

  // Opens an object again by its descriptor (an O_PATH one will do) with other flags.
  static Result<UniqueFd> reopen(int fd, int flags);

  // Opens the object that `ref` names, by its descriptor or its path of any length. ESTALE when another object lies
  // there; ENOENT when none does; EINVAL for what is neither file nor directory. Not for O_CREAT. Thread safe.
  Result<UniqueFd> open_ref(const ExternalRef& ref, int flags) const;

  Result<Probe> probe_child(int directory_fd, const char* name) const { return probe(directory_fd, name, device_); }
  Result<Probe> probe_fd(int fd, Freshness freshness = Freshness::kUsual) const {
    return probe(fd, "", device_, freshness);
  }
  // Looks without a round trip to a server, if there is one: for the identity, or at an object that the caller has just
  // made, whose times may be another clock's than those of a later look.
  Result<Probe> probe_known(int fd) const;

 private:
  ExternalTree() = default;

  std::string path_;
  UniqueFd root_;
  dev_t device_ = 0;
  bool has_births_ = false;  // tells times of birth
};

// "/proc/self/fd/N": reaches the object of an O_PATH descriptor where a call takes no descriptor.
std::string proc_path(int fd);

}  // namespace forebay::consistency
