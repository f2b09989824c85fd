// check_mount(): everything that can be wrong with a mount before anything is touched.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "cachefs/cache_directory.h"
#include "cachefs/mount.h"
#include "cachefs/mount_table.h"
#include "core/nearest.h"
#include "core/unique_fd.h"

namespace forebay::cachefs {
namespace {

constexpr char kDevice[] = "/dev/fuse";

// What `-o` may say. The rest of libfuse's options (fsname, max_read, ...) is ours to choose.
constexpr std::array<std::string_view, 20> kMountOptions = {
    "ro",       "rw",         "suid",     "nosuid",     "dev",         "nodev",     "exec",
    "noexec",   "atime",      "noatime",  "sync",       "async",       "dirsync",   "debug",
    "diratime", "nodiratime", "relatime", "norelatime", "allow_other", "allow_root"};

Status check_fuse_options(const std::vector<std::string>& options) {
  for (const std::string& option : options) {
    if (std::find(kMountOptions.begin(), kMountOptions.end(), option) != kMountOptions.end()) continue;
    return fail(EINVAL, "-o {}: unknown mount option{}", option,
                suggestion(option, {kMountOptions.begin(), kMountOptions.end()}));
  }
  return {};
}

Status check_external(std::string& external) {
  const auto resolved = resolve_path(external);
  if (!resolved) return fail(resolved.error().code, "external directory {}", external);
  struct stat attributes {};
  if (::stat(resolved->c_str(), &attributes) != 0) return fail_errno("external directory {}", external);
  if (!S_ISDIR(attributes.st_mode)) return fail(ENOTDIR, "external directory {}", external);
  if (::faccessat(AT_FDCWD, resolved->c_str(), R_OK | X_OK, AT_EACCESS) != 0) {
    return fail_errno("external directory {}", external);
  }
  external = *resolved;
  return {};
}

// Whether it exists, is a directory and may be mounted on; a dead mount has no attributes, but it must have been one.
Status check_mountpoint_exists(std::string& mountpoint) {
  const auto resolved = resolve_path(mountpoint);
  if (!resolved) return fail(resolved.error().code, "mountpoint {}", mountpoint);
  struct stat attributes {};
  if (::stat(resolved->c_str(), &attributes) != 0 && errno != ENOTCONN) return fail_errno("mountpoint {}", mountpoint);
  if (attributes.st_mode != 0 && !S_ISDIR(attributes.st_mode)) return fail(ENOTDIR, "mountpoint {}", mountpoint);
  // fusermount3 lets users mount only where they may write.
  if (::geteuid() != 0 && ::access(resolved->c_str(), W_OK) != 0 && errno != ENOTCONN) {
    return fail_errno("mountpoint {}", mountpoint);
  }
  mountpoint = *resolved;
  return {};
}

bool same_directory(const std::string& a, const std::string& b) {
  struct stat of_a {
  }, of_b{};
  if (::stat(a.c_str(), &of_a) != 0 || ::stat(b.c_str(), &of_b) != 0) return false;
  return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

enum class Relation { kApart, kSame, kInside };

// How `path` lies to `directory`, both absolute and resolved. Names are compared because a directory may not exist yet,
// and inodes because one directory may have several names (bind mounts).
Relation relation(const std::string& path, const std::string& directory) {
  for (std::string at = path;;) {
    if (at == directory || same_directory(at, directory)) return at == path ? Relation::kSame : Relation::kInside;
    if (at == "/") return Relation::kApart;
    at.resize(std::max<size_t>(1, at.rfind('/')));
  }
}

struct Named {
  std::string_view what;
  const std::string& path;
};

Status check_apart(const Named& a, const Named& b) {
  const Relation a_to_b = relation(a.path, b.path);
  if (a_to_b == Relation::kSame) return fail(EINVAL, "{} {} is the {} itself", a.what, a.path, b.what);
  if (a_to_b == Relation::kInside) return fail(EINVAL, "{} {} is inside the {} {}", a.what, a.path, b.what, b.path);
  if (relation(b.path, a.path) == Relation::kInside) {
    return fail(EINVAL, "{} {} is inside the {} {}", b.what, b.path, a.what, a.path);
  }
  return {};
}

bool in_path(const char* program) {
  const char* rest = std::getenv("PATH");
  for (std::string_view list = rest == nullptr ? "/usr/bin:/bin" : rest;;) {
    const size_t colon = list.find(':');
    const std::string file = fmt::format("{}/{}", list.substr(0, colon), program);
    if (::access(file.c_str(), X_OK) == 0) return true;
    if (colon == list.npos) return false;
    list.remove_prefix(colon + 1);
  }
}

// libfuse opens it, whoever mounts; those who are not root also need the setuid helper that mounts for them.
Status check_device() {
  const UniqueFd device(::open(kDevice, O_RDWR | O_CLOEXEC));
  if (!device && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
    return fail_errno("{} (is the kernel module \"fuse\" loaded?)", kDevice);
  }
  if (!device) return fail_errno("{}", kDevice);
  if (::geteuid() != 0 && !in_path(kFuseHelper)) {
    return fail(ENOENT, "{}, which lets ordinary users mount, in $PATH", kFuseHelper);
  }
  return {};
}

// Also takes a dead mount of ours away from it: only now, when nothing else can be wrong any more.
Status clear_mountpoint(const std::string& mountpoint) {
  constexpr int kMostLayers = 16;
  for (int layer = 0; layer < kMostLayers && is_dead_mount(mountpoint); ++layer) {
    ASSIGN_OR_RETURN(const auto table, read_mount_table());
    const auto entry = find_mount_at(table, mountpoint);
    if (!entry || entry->type != kMountType) break;
    const Status detached = detach_mount(mountpoint, true);
    if (!detached) return fail(detached.error().code, "dead mount on {}", mountpoint);
  }
  std::error_code error;
  const bool empty = std::filesystem::is_empty(mountpoint, error);
  if (error) return fail(error.value(), "mountpoint {}", mountpoint);
  if (!empty) return fail(ENOTEMPTY, "mountpoint {}", mountpoint);
  return {};
}

Status check_not_mounted(const std::string& mountpoint) {
  ASSIGN_OR_RETURN(const auto table, read_mount_table());
  const auto entry = find_mount_at(table, mountpoint);
  if (!entry || entry->type != kMountType || is_dead_mount(mountpoint)) return {};
  return fail(EBUSY, "mountpoint {}: a forebay mount is there already", mountpoint);
}

Status check_cache(MountOptions& options) {
  const bool chosen = options.caches.empty();
  if (chosen) {
    ASSIGN_OR_RETURN(std::string cache, default_cache_directory(options.external));
    options.caches.push_back(std::move(cache));
  }
  std::string& cache = options.caches.front();
  ASSIGN_OR_RETURN(cache, resolve_cache_directory(cache, chosen));
  const Named directory{"cache directory", cache};
  RETURN_IF_ERROR(check_apart({"mountpoint", options.mountpoint}, directory));
  RETURN_IF_ERROR(check_apart(directory, {"external directory", options.external}));
  for (const Link& link : options.links) {
    if (!link.transient()) RETURN_IF_ERROR(check_apart(directory, {"external directory", link.external}));
  }
  return {};
}

// Whether what links lead to is there, and apart from what is ours.
Status check_links(MountOptions& options) {
  if (options.in_cluster()) return {};
  ASSIGN_OR_RETURN(options.links, links_of(options.config));
  if (options.links.empty()) return {};
  if (::geteuid() != 0) return fail(EPERM, "links: a mount with --link or --transient is for root alone");
  for (Link& link : options.links) {
    if (link.transient()) continue;
    RETURN_IF_ERROR(check_external(link.external));
    RETURN_IF_ERROR(check_apart({"mountpoint", options.mountpoint}, {"external directory", link.external}));
  }
  return {};
}

}  // namespace

Status check_mount(MountOptions& options) {
  if (options.in_cluster() && !options.caches.empty()) {
    return fail(EINVAL, "--cache {}: with cluster.mgmtd, the targets of the cluster are the cache",
                options.caches.front());
  }
  if (options.caches.size() > 1) {
    return fail(ENOTSUP, "--cache {}: several cache directories are not available in this version; give one",
                options.caches[1]);
  }
  RETURN_IF_ERROR(check_fuse_options(options.fuse_options));
  RETURN_IF_ERROR(check_external(options.external));
  RETURN_IF_ERROR(check_mountpoint_exists(options.mountpoint));
  RETURN_IF_ERROR(check_apart({"mountpoint", options.mountpoint}, {"external directory", options.external}));
  RETURN_IF_ERROR(check_links(options));
  if (!options.in_cluster()) RETURN_IF_ERROR(check_cache(options));
  RETURN_IF_ERROR(check_not_mounted(options.mountpoint));
  if (!options.in_cluster()) RETURN_IF_ERROR(check_cache_directory(options.caches.front()));
  RETURN_IF_ERROR(check_device());
  return clear_mountpoint(options.mountpoint);
}

}  // namespace forebay::cachefs
