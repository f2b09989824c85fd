// A directory that is gone after the test, with all that was mounted in it.
#pragma once

#include <string>

namespace forebay::test {

// Lies below $TMPDIR, or /tmp. Everybody may enter it, so that tests can act as other users.
class TempDir {
 public:
  TempDir();
  explicit TempDir(const std::string& base);  // below another directory
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  // PATH/NAME
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Makes the directory PATH/NAME and returns its path.
  std::string make(const std::string& name) const;

 private:
  std::string path_;
};

// Writes `content` into a file, which is made or replaced.
void write_file(const std::string& path, const std::string& content);

// The whole content of a file; fails the program when it can't be read.
std::string read_file(const std::string& path);

// Whether something is mounted on exactly this directory.
bool is_mounted(const std::string& path);

}  // namespace forebay::test
