// Small helpers around file system calls: what fails throws, with the path in the message.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <set>
#include <string>

namespace forebay::test {

inline constexpr size_t kMiB = 1 << 20;
inline constexpr uid_t kNobody = 65534;  // a user without privileges

// Bytes without a pattern that a cache could get right by accident; the same for the same seed.
std::string noise(size_t size, uint64_t seed = 1);

// An open file. Closed at the end; what the closing said is told by close().
class OpenFile {
 public:
  explicit OpenFile(const std::string& path, int flags = O_RDONLY, mode_t mode = 0644);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }
  // Up to `size` bytes: fewer at the end of the file.
  std::string read_at(uint64_t offset, size_t size) const;
  void write_at(uint64_t offset, const std::string& data) const;
  // These return errno, 0 when all is well.
  int try_write_at(uint64_t offset, const std::string& data) const;
  int sync() const;
  int close();

 private:
  std::string path_;
  int fd_ = -1;
};

// errno of opening the file, 0 when it can be opened.
int open_errno(const std::string& path, int flags);

struct stat stat_of(const std::string& path);  // follows no link
bool exists(const std::string& path);
int64_t mtime_ns(const std::string& path);

// The names in a directory, without "." and "..".
std::set<std::string> names_in(const std::string& directory);

// Empty when the file has no such attribute.
std::string xattr_of(const std::string& path, const std::string& name);

// Changes bytes in place: no truncation, the rest stays.
void overwrite(const std::string& path, uint64_t offset, const std::string& data);

// "" when both files have the same bytes, else the first difference, in words.
std::string content_difference(const std::string& expected, const std::string& found);

}  // namespace forebay::test
