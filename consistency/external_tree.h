// ExternalTree: the external directories of a mount, opened once; everything outside is reached through the descriptor
// of the first one, one level at a time or by a path below it, and never leaves it. The others are mounted below it
// where their links say.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "consistency/link_mounts.h"
#include "consistency/probe.h"
#include "core/links.h"
#include "core/protocol/types.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::consistency {

class ExternalTree {
 public:
  // `transients`: below it the transient directories are, and are made; empty: they are somebody else's, who has their
  // names and attributes, and are not part of this tree: their places are shown as transient. The places of links are
  // made, where they are missing. ENOENT, ENOTDIR, EACCES, ... with the path; with links EPERM for all but root.
  static Result<std::unique_ptr<ExternalTree>> open(const std::string& path, const std::vector<Link>& links = {},
                                                    const std::string& transients = {});

  const std::string& path() const { return path_; }
  int root_fd() const { return root_.get(); }

  // Opens one name of a directory; never follows a symlink and never leaves the directory. `flags` as openat(2).
  // Thread safe.
  static Result<UniqueFd> open_child(int directory_fd, const char* name, int flags);

  // Opens an object again by its descriptor (an O_PATH one will do) with other flags.
  static Result<UniqueFd> reopen(int fd, int flags);

  // Opens the object that `ref` names, by its descriptor or its path of any length. ESTALE when another object lies
  // there; ENOENT when none does; EINVAL for what is neither file nor directory. Not for O_CREAT. Thread safe.
  Result<UniqueFd> open_ref(const ExternalRef& ref, int flags) const;

  Result<Probe> probe_child(int directory_fd, const char* name) const {
    return placed(probe(directory_fd, name, device_));
  }
  Result<Probe> probe_fd(int fd, Freshness freshness = Freshness::kUsual) const {
    return placed(probe(fd, "", device_, freshness));
  }
  // Looks without a round trip to a server, if there is one: for the identity, or at an object that the caller has just
  // made, whose times may be another clock's than those of a later look.
  Result<Probe> probe_known(int fd) const;

 private:
  struct LinkDevice {
    dev_t device = 0;
    uint64_t number = 0;
  };

  ExternalTree() = default;
  Status mount_links(const std::vector<Link>& links, const std::string& transients);
  Status make_place(const Link& link) const;
  Status note_link(const Link& link);
  Status note_place(const Link& link);
  // In terms of links.
  Result<Probe> placed(Result<Probe> probe) const;

  std::string path_;
  UniqueFd root_;
  UniqueFd mount_namespace_;
  dev_t device_ = 0;
  // Numbers of devices are another node's or another day's: in an identity a link's device is named after the link.
  std::vector<LinkDevice> link_devices_;
  std::vector<uint64_t> transient_mounts_;
  std::vector<Identity> transient_places_;  // of what is not part of this tree
  bool has_births_ = false;                 // tells times of birth
};

// "/proc/self/fd/N": reaches the object of an O_PATH descriptor where a call takes no descriptor.
std::string proc_path(int fd);

}  // namespace forebay::consistency
