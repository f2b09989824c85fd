#include "consistency/link_mounts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

namespace forebay::consistency {
namespace {

// With what is mounted below it. Not yet attached to anything.
Result<UniqueFd> clone_tree(const std::string& path) {
  UniqueFd tree(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)));
  if (!tree && errno == EPERM) return fail(EPERM, "{}: mounts with links are for root alone", path);
  if (!tree) return fail_errno("{}", path);
  return tree;
}

Status attach(const UniqueFd& tree, int place, const char* path, unsigned place_flags) {
  const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | place_flags;
  if (::syscall(SYS_move_mount, tree.get(), "", place, path, flags) != 0) return fail_errno();
  return {};
}

// What is unmounted outside goes here as well; what is mounted here goes nowhere.
Status follow_outside(const char* path) {
  return ::mount(nullptr, path, nullptr, MS_REC | MS_SLAVE, nullptr) == 0 ? Status{} : Status(fail_errno());
}

// By the thread whose namespace it is: the tree becomes its root, and all other mounts leave the namespace, which must
// not keep them alive.
Status become_root(const UniqueFd& tree, const std::string& path) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno();
  RETURN_IF_ERROR(attach(tree, AT_FDCWD, path.c_str(), 0));
  if (::chdir(path.c_str()) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0 || ::umount2(".", MNT_DETACH) != 0 ||
      ::chdir("/") != 0) {
    return fail_errno();
  }
  return follow_outside("/");
}

Result<UniqueFd> open_place(const std::string& place) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, place.c_str(), &how, sizeof(how))));
  if (!fd) return fail_errno("{}", place);
  return fd;
}

Result<LinkMounts> make_here(const std::string& root, const std::vector<LinkMount>& links) {
  ASSIGN_OR_RETURN(const UniqueFd tree, clone_tree(root));
  std::vector<UniqueFd> sources;
  for (const LinkMount& link : links) {
    ASSIGN_OR_RETURN(UniqueFd source, clone_tree(link.source));
    sources.push_back(std::move(source));
  }
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno("a mount namespace for links");
  LinkMounts mounts;
  mounts.mount_namespace.reset(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!mounts.mount_namespace) return fail_errno("/proc/thread-self/ns/mnt");
  if (Status done = become_root(tree, root); !done)
    return fail(done.error().code, "{}: {}", root, done.error().message());
  for (size_t i = 0; i < links.size(); ++i) {
    ASSIGN_OR_RETURN(const UniqueFd place, open_place(links[i].place));
    Status attached = attach(sources[i], place.get(), "", MOVE_MOUNT_T_EMPTY_PATH);
    if (attached) attached = follow_outside(("/" + links[i].place).c_str());
    if (!attached) return fail(attached.error().code, "{}: {}", links[i].place, attached.error().message());
  }
  mounts.root.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!mounts.root) return fail_errno("{}", root);
  return mounts;
}

}  // namespace

Result<LinkMounts> LinkMounts::make(const std::string& root, const std::vector<LinkMount>& links) {
  Result<LinkMounts> made = fail(ECANCELED);
  // A thread has a namespace, root and working directory of its own, which end with it.
  std::thread([&] { made = make_here(root, links); }).join();
  return made;
}

}  // namespace forebay::consistency
