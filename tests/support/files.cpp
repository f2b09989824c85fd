#include "tests/support/files.h"

#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>

namespace forebay::test {
namespace {

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

std::string noise(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes((size + 7) / 8 * 8, '\0');
  for (size_t at = 0; at < bytes.size(); at += 8) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  bytes.resize(size);
  return bytes;
}

OpenFile::OpenFile(const std::string& path, int flags, mode_t mode)
    : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
  if (fd_ < 0) fail("open " + path);
}

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::string OpenFile::read_at(uint64_t offset, size_t size) const {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd_, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0) fail("read " + path_);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

void OpenFile::write_at(uint64_t offset, const std::string& data) const {
  errno = try_write_at(offset, data);
  if (errno != 0) fail("write " + path_);
}

int OpenFile::try_write_at(uint64_t offset, const std::string& data) const {
  for (size_t done = 0; done < data.size();) {
    const ssize_t put = ::pwrite(fd_, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (put < 0) return errno;
    done += static_cast<size_t>(put);
  }
  return 0;
}

int OpenFile::sync() const { return ::fsync(fd_) == 0 ? 0 : errno; }

int OpenFile::close() {
  const int result = ::close(fd_);
  fd_ = -1;
  return result == 0 ? 0 : errno;
}

int open_errno(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}

struct stat stat_of(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) fail("stat " + path);
  return found;
}

bool exists(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0) return true;
  if (errno != ENOENT) fail("stat " + path);
  return false;
}

int64_t mtime_ns(const std::string& path) {
  const struct stat found = stat_of(path);
  return found.st_mtim.tv_sec * int64_t{1'000'000'000} + found.st_mtim.tv_nsec;
}

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

std::string xattr_of(const std::string& path, const std::string& name) {
  char value[4096];
  const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value, sizeof value);
  if (size < 0 && errno == ENODATA) return "";
  if (size < 0) fail("getxattr " + name + " of " + path);
  return {value, static_cast<size_t>(size)};
}

void overwrite(const std::string& path, uint64_t offset, const std::string& data) {
  OpenFile file(path, O_WRONLY);
  file.write_at(offset, data);
  errno = file.close();
  if (errno != 0) fail("close " + path);
}

std::string content_difference(const std::string& expected, const std::string& found) {
  if (expected == found) return "";
  if (expected.size() != found.size()) return fmt::format("{} bytes instead of {}", found.size(), expected.size());
  const auto at = std::mismatch(expected.begin(), expected.end(), found.begin()).first - expected.begin();
  const auto index = static_cast<size_t>(at);
  return fmt::format("byte {} is {:02x} instead of {:02x}", at, static_cast<unsigned char>(found[index]),
                     static_cast<unsigned char>(expected[index]));
}

}  // namespace forebay::test
