#include "cachefs/cache_directory.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdlib>
#include <filesystem>

#include "cachefs/mount_table.h"

namespace forebay::cachefs {
namespace {

constexpr char kSystemCaches[] = "/var/cache";
constexpr uint64_t kLeastFreeBytes = 4 << 20;  // the smallest capacity that a cache can have
constexpr mode_t kMode = 0700;                 // it holds copies of files that not everyone may read

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The nearest directory above that exists.
std::string existing_ancestor(std::string path) {
  struct stat attributes {};
  while (path != "/" && path != "." && ::lstat(path.c_str(), &attributes) != 0 && errno == ENOENT) {
    path = parent_of(path);
  }
  return path;
}

Result<std::string> user_caches() {
  const char* caches = std::getenv("XDG_CACHE_HOME");
  if (caches != nullptr && caches[0] == '/') return std::string(caches);
  const char* home = std::getenv("HOME");
  const passwd* user = nullptr;
  if (home == nullptr || home[0] != '/') {
    user = ::getpwuid(::geteuid());
    home = user == nullptr ? nullptr : user->pw_dir;
  }
  if (home == nullptr || home[0] != '/') {
    return fail(ENOENT, "home directory, for the default cache directory (choose one with --cache)");
  }
  return fmt::format("{}/.cache", home);
}

}  // namespace

Result<std::string> default_cache_directory(const std::string& external) {
  constexpr size_t kLongestName = 200;  // with the hash it must stay a name of at most 255 bytes
  std::string name = external.substr(external.rfind('/') + 1).substr(0, kLongestName);
  if (name.empty()) name = "root";
  std::string caches = kSystemCaches;
  if (::geteuid() != 0) {
    ASSIGN_OR_RETURN(caches, user_caches());
  }
  const uint64_t hash = XXH64(external.data(), external.size(), 0);
  return fmt::format("{}/forebay/{}-{:08x}", caches, name, static_cast<uint32_t>(hash));
}

Result<std::string> resolve_cache_directory(const std::string& directory, bool make_parents) {
  const auto resolved = resolve_path(directory);
  if (resolved) return *resolved;
  if (resolved.error().code != ENOENT || directory.empty()) {
    return fail(resolved.error().code, "cache directory {}", directory);
  }
  std::string plain = directory;
  while (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
  const std::string above = make_parents ? existing_ancestor(plain) : parent_of(plain);
  const auto base = resolve_path(above);
  if (!base) return fail(base.error().code, "cache directory {}", directory);
  std::string rest = above == "." ? plain : plain.substr(above.size());
  while (rest.starts_with('/')) rest.erase(0, 1);
  return fmt::format("{}{}{}", *base, base->ends_with('/') ? "" : "/", rest);
}

Status check_cache_directory(const std::string& directory) {
  const std::string there = existing_ancestor(directory);
  struct stat attributes {};
  if (::stat(there.c_str(), &attributes) != 0) return fail_errno("cache directory {}", directory);
  if (!S_ISDIR(attributes.st_mode)) return fail(ENOTDIR, "cache directory {}", directory);
  const bool exists = there == directory;
  if (::faccessat(AT_FDCWD, there.c_str(), W_OK | X_OK | (exists ? R_OK : 0), AT_EACCESS) != 0) {
    return fail_errno("cache directory {}", directory);
  }
  // One that is in use may be full: it has data to bring out.
  std::error_code error;
  const bool in_use = exists && !std::filesystem::is_empty(directory, error);
  if (error) return fail(error.value(), "cache directory {}", directory);
  if (in_use) return {};
  struct statvfs space {};
  if (::statvfs(there.c_str(), &space) != 0) return fail_errno("cache directory {}", directory);
  const uint64_t blocks = ::geteuid() == 0 ? space.f_bfree : space.f_bavail;
  const bool no_inodes = space.f_files != 0 && space.f_ffree == 0;
  if (blocks * space.f_frsize < kLeastFreeBytes || no_inodes) return fail(ENOSPC, "cache directory {}", directory);
  return {};
}

Result<std::vector<std::string>> make_cache_directory(const std::string& directory) {
  std::vector<std::string> made;
  for (size_t slash = directory.find('/', 1); slash != directory.npos; slash = directory.find('/', slash + 1)) {
    const std::string parent = directory.substr(0, slash);
    if (::mkdir(parent.c_str(), kMode) == 0) {
      made.push_back(parent);
    } else if (::access(parent.c_str(), F_OK) != 0) {
      return fail_errno("cache directory {}", parent);
    }
  }
  if (::mkdir(directory.c_str(), kMode) == 0) {
    made.push_back(directory);
  } else if (errno != EEXIST) {
    return fail_errno("cache directory {}", directory);
  }
  return made;
}

}  // namespace forebay::cachefs
