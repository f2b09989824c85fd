#include "consistency/external_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <xxhash.h>

#include <algorithm>
#include <string_view>

namespace forebay::consistency {
namespace {

Result<UniqueFd> open_beneath(int directory_fd, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  // EAGAIN: the kernel saw a rename meanwhile, and its documentation asks for a bounded retry. EXDEV: the path leads
  // out of the directory, or what was found was moved out of it before it was opened.
  constexpr int kMostTries = 100;
  for (int tries = 0;; ++tries) {
    const long fd = ::syscall(SYS_openat2, directory_fd, path, &how, sizeof(how));
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if ((errno != EAGAIN && errno != EXDEV) || tries == kMostTries) return fail_errno();
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

// The place of a link, with the directories above it. What is there already stays as it is; a symlink is none.
Status make_directories(int root_fd, const std::string& path, mode_t mode) {
  UniqueFd above;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const int in = above ? above.get() : root_fd;
    const bool made = ::mkdirat(in, name.c_str(), mode) == 0;
    if (!made && errno != EEXIST) return fail_errno("{}", path);
    Result<UniqueFd> directory = open_beneath(in, name.c_str(), O_PATH | O_DIRECTORY);
    if (!directory) return Failure(std::move(directory).error());
    if (made && ::chmod(proc_path(directory->get()).c_str(), mode) != 0)
      return fail_errno("{}", path);  // not the umask's
    above = *std::move(directory);
    begin = end + 1;
  }
  return {};
}

// The directory behind a transient link. As /tmp, anybody may write there; root may change that.
Result<std::string> make_transient(const std::string& transients, const std::string& directory) {
  const std::string path = transients + "/" + directory;
  struct stat found;
  if (::stat(path.c_str(), &found) == 0) return path;
  if (::mkdir(transients.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("{}", transients);
  const UniqueFd above(::open(transients.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!above) return fail_errno("{}", transients);
  RETURN_IF_ERROR(make_directories(above.get(), directory, 0755));
  if (::chmod(path.c_str(), 01777) != 0) return fail_errno("{}", path);
  return path;
}

}  // namespace

Status ExternalTree::make_place(const Link& link) const {
  const Status made = make_directories(root_.get(), link.directory, 0755);
  if (made) return {};
  return fail(made.error().code, "link {}: its place in {} cannot be made: {}", link.directory, path_,
              Error{made.error().code, {}}.message());
}

// What is behind it only somebody else sees.
Status ExternalTree::note_place(const Link& link) {
  RETURN_IF_ERROR(make_place(link));
  ASSIGN_OR_RETURN(const UniqueFd fd, open_beneath(root_.get(), link.directory.c_str(), O_PATH | O_DIRECTORY));
  ASSIGN_OR_RETURN(const Probe seen, probe(fd.get(), "", device_));
  transient_places_.push_back(seen.identity);
  return {};
}

Status ExternalTree::mount_links(const std::vector<Link>& links, const std::string& transients) {
  std::vector<LinkMount> mounts;
  std::vector<Link> mounted;
  for (const Link& link : links) {
    if (link.transient() && transients.empty()) {
      RETURN_IF_ERROR(note_place(link));
      continue;
    }
    std::string source = link.external;
    if (link.transient()) {
      ASSIGN_OR_RETURN(source, make_transient(transients, link.directory));
    }
    RETURN_IF_ERROR(make_place(link));
    mounts.push_back({link.directory, source});
    mounted.push_back(link);
  }
  if (mounts.empty()) return {};
  Result<LinkMounts> made = LinkMounts::make(path_, mounts);
  if (!made) return fail(made.error().code, "links: {}", made.error().message());
  root_ = std::move(made->root);
  mount_namespace_ = std::move(made->mount_namespace);
  for (const Link& link : mounted) RETURN_IF_ERROR(note_link(link));
  return {};
}

Status ExternalTree::note_link(const Link& link) {
  ASSIGN_OR_RETURN(const UniqueFd fd, open_beneath(root_.get(), link.directory.c_str(), O_PATH | O_DIRECTORY));
  struct stat found;
  if (::fstat(fd.get(), &found) != 0) return fail_errno("link {}", link.directory);
  ASSIGN_OR_RETURN(const Probe seen, probe(fd.get(), "", device_));
  if (link.transient()) {
    if (seen.mount_id == 0) return fail(ENOTSUP, "link {}: this kernel does not tell mounts apart", link.directory);
    transient_mounts_.push_back(seen.mount_id);
  }
  constexpr uint64_t kNoDevice = uint64_t{1} << 63;
  const uint64_t number = XXH3_64bits(link.directory.data(), link.directory.size()) | kNoDevice;
  link_devices_.push_back({found.st_dev, number});
  return {};
}

Result<Probe> ExternalTree::placed(Result<Probe> probe) const {
  if (probe &&
      std::find(transient_places_.begin(), transient_places_.end(), probe->identity) != transient_places_.end()) {
    probe->transient = probe->is_mount_root = true;
  }
  if (!probe || link_devices_.empty()) return probe;
  const auto at = std::find_if(link_devices_.begin(), link_devices_.end(),
                               [&](const LinkDevice& link) { return link.device == probe->identity.device; });
  if (probe->identity.device != 0 && at != link_devices_.end()) {
    probe->identity.device = at->number;
    probe->attributes.inode_number = shown_number(probe->identity);
  }
  probe->transient = probe->transient || std::find(transient_mounts_.begin(), transient_mounts_.end(),
                                                   probe->mount_id) != transient_mounts_.end();
  return probe;
}

Result<std::unique_ptr<ExternalTree>> ExternalTree::open(const std::string& path, const std::vector<Link>& links,
                                                         const std::string& transients) {
  UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno("external directory {}", path);
  struct stat found;
  if (::fstat(root.get(), &found) != 0) return fail_errno("external directory {}", path);
  std::unique_ptr<ExternalTree> tree(new ExternalTree);
  tree->path_ = path;
  tree->root_ = std::move(root);
  tree->device_ = found.st_dev;
  RETURN_IF_ERROR(tree->mount_links(links, transients));
  ASSIGN_OR_RETURN(const Probe seen, tree->probe_fd(tree->root_fd()));
  tree->has_births_ = seen.identity.birth != FileTime{};
  return tree;
}

// The time of birth is part of the identity: an answer without it is none, where others have it.
Result<Probe> ExternalTree::probe_known(int fd) const {
  const Result<Probe> known = probe_fd(fd, Freshness::kKnown);
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
