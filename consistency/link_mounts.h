// LinkMounts: one tree of several directories, without a change of what other programs see.
//
// The directories are mounted on each other in a mount namespace that this process alone can reach, and stay there as
// long as this lives. From then on the kernel walks from one into the other: whoever goes beneath the root's descriptor
// needs to know nothing of links.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::consistency {

struct LinkMount {
  std::string place;   // below the root; an existing directory
  std::string source;  // what appears there
};

struct LinkMounts {
  UniqueFd root;             // O_PATH
  UniqueFd mount_namespace;  // without it the mounts would be gone

  // EPERM without CAP_SYS_ADMIN; otherwise what open_tree(2), move_mount(2) and pivot_root(2) say, with the path.
  static Result<LinkMounts> make(const std::string& root, const std::vector<LinkMount>& links);
};

}  // namespace forebay::consistency
