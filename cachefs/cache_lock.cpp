#include "cachefs/cache_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cachefs/cache_directory.h"
#include "core/io.h"

namespace forebay::cachefs {
namespace {

// CACHE/link.json says whose cache it is; the lock is taken on it.
constexpr char kLinkFile[] = "link.json";
constexpr int kFormat = 3;

Result<std::string> read_file(int fd) {
  constexpr size_t kMostBytes = 64 << 10;
  std::string text(kMostBytes, '\0');
  ASSIGN_OR_RETURN(const size_t bytes, pread_full(fd, text.data(), text.size(), 0));
  text.resize(bytes);
  return text;
}

// What an empty cache directory may hold: our own log, and what a file system puts into its root.
bool holds_something_else(const std::string& directory) {
  std::error_code error;
  const std::filesystem::directory_iterator entries(directory, error);
  return std::any_of(begin(entries), end(entries), [](const auto& entry) {
    const std::string name = entry.path().filename();
    return name != kLinkFile && name != "forebay.log" && name != "lost+found";
  });
}

}  // namespace

Result<CacheLock> CacheLock::take(const std::string& directory, const std::string& external) {
  ASSIGN_OR_RETURN([[maybe_unused]] const auto made, make_cache_directory(directory));
  const std::string path = directory + "/" + kLinkFile;
  CacheLock lock;
  lock.fd_.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!lock.fd_ && errno == ENOENT) {
    if (holds_something_else(directory)) {
      return fail(ENOTEMPTY, "cache directory {}: holds other files and no forebay cache; give an empty one",
                  directory);
    }
    lock.fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }
  if (!lock.fd_) return fail_errno("cache directory {}", directory);
  if (::flock(lock.fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(EBUSY, "cache directory {}: is in use by another mount", directory);
    return fail_errno("cache directory {}", directory);
  }
  ASSIGN_OR_RETURN(const std::string text, read_file(lock.fd_.get()));
  if (text.empty()) {
    const nlohmann::json link = {{"format", kFormat}, {"external", external}};
    const std::string line = link.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    RETURN_IF_ERROR(pwrite_full(lock.fd_.get(), line.data(), line.size(), 0));
    if (::fsync(lock.fd_.get()) != 0) return fail_errno("{}", path);
    return lock;
  }
  const nlohmann::json link = nlohmann::json::parse(text, nullptr, false);
  if (!link.is_object() || !link.contains("external") || !link["external"].is_string()) {
    return fail(EIO, "{}: is damaged; it must name the external directory of this cache", path);
  }
  if (link.value("format", 0) != kFormat) return fail(EIO, "{}: was made by another version of forebay", path);
  const nlohmann::json ours =
      nlohmann::json::parse(nlohmann::json(external).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  if (link["external"] != ours) {
    return fail(EEXIST, "cache directory {}: belongs to {}, not to {}", directory, link["external"].get<std::string>(),
                external);
  }
  return lock;
}

}  // namespace forebay::cachefs
