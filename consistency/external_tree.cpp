#include "consistency/external_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <string_view>

namespace forebay::consistency {
namespace {

Result<UniqueFd> open_beneath(int directory_fd, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  // EAGAIN: the kernel saw a rename during ".."-free resolution; its documentation asks for a bounded retry.
  constexpr int kMostTries = 32;
  for (int tries = 0;; ++tries) {
    const long fd = ::syscall(SYS_openat2, directory_fd, path, &how, sizeof(how));
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN || tries == kMostTries) return fail_errno();
  }
}

// A FIFO would be waited for, and a device does what it likes.
Status check_type(mode_t mode) {
  return S_ISREG(mode) || S_ISDIR(mode) ? Status{} : Status(fail(EINVAL, "neither a file nor a directory"));
}

// What an object is never changes: no server is asked.
Status check_opens_at_once(int fd) {
  struct statx found;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &found) != 0) return fail_errno();
  return check_type(found.stx_mode);
}

}  // namespace

Result<std::unique_ptr<ExternalTree>> ExternalTree::open(const std::string& path) {
  UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno("external directory {}", path);
  struct stat found;
  if (::fstat(root.get(), &found) != 0) return fail_errno("external directory {}", path);
  std::unique_ptr<ExternalTree> tree(new ExternalTree);
  tree->path_ = path;
  tree->root_ = std::move(root);
  tree->device_ = found.st_dev;
  ASSIGN_OR_RETURN(const Probe seen, tree->probe_fd(tree->root_fd()));
  tree->has_births_ = seen.identity.birth != FileTime{};
  return tree;
}

// The time of birth is part of the identity: an answer without it is none, where others have it.
Result<Probe> ExternalTree::probe_known(int fd) const {
  const Result<Probe> known = probe(fd, "", device_, Freshness::kKnown);
  if (known && (known->identity.birth != FileTime{} || !has_births_)) return known;
  return probe_fd(fd);
}

Result<UniqueFd> ExternalTree::open_child(int directory_fd, const char* name, int flags) {
  return open_beneath(directory_fd, name, flags);
}

Result<UniqueFd> ExternalTree::reopen(int fd, int flags) {
  UniqueFd opened(::open(proc_path(fd).c_str(), flags | O_CLOEXEC));
  if (!opened) return fail_errno();
  return opened;
}

Result<UniqueFd> ExternalTree::open_ref(const ExternalRef& ref, int flags) const {
  if (ref.descriptor != nullptr) {
    RETURN_IF_ERROR(check_opens_at_once(ref.descriptor->get()));
    return reopen(ref.descriptor->get(), flags);
  }
  // One call takes less than PATH_MAX bytes of path, so a longer one is walked in pieces that end at a slash.
  constexpr size_t kMostBytes = 4000;
  std::string_view rest = ref.path.empty() ? std::string_view(".") : std::string_view(ref.path);
  UniqueFd directory;
  while (rest.size() > kMostBytes) {
    const size_t slash = rest.rfind('/', kMostBytes);
    if (slash == std::string_view::npos) return fail(ENAMETOOLONG);
    const std::string piece(rest.substr(0, slash));
    ASSIGN_OR_RETURN(directory,
                     open_beneath(directory ? directory.get() : root_.get(), piece.c_str(), O_PATH | O_DIRECTORY));
    rest = rest.substr(slash + 1);
  }
  // What is there by now may be something else; to open a FIFO would wait for ever.
  ASSIGN_OR_RETURN(const UniqueFd fd,
                   open_beneath(directory ? directory.get() : root_.get(), std::string(rest).c_str(), O_PATH));
  ASSIGN_OR_RETURN(const Probe found, probe_known(fd.get()));
  if (S_ISLNK(found.attributes.mode)) return fail(ELOOP);
  if (!(found.identity == ref.identity)) return fail(ESTALE, "{}: is another object now", ref.path);
  RETURN_IF_ERROR(check_type(found.attributes.mode));
  return reopen(fd.get(), flags);
}

std::string proc_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

}  // namespace forebay::consistency
