// The token by which every node shows that it sees the same external directory.
#pragma once

#include <string>

#include "core/result.h"

namespace forebay::cli {

// `bytes` random bytes in hex. Errno of getrandom(2).
Result<std::string> random_hex(size_t bytes);

// A file in the external directory, as long as this lives.
class ExternalToken {
 public:
  ExternalToken() = default;
  ~ExternalToken();
  ExternalToken(const ExternalToken&) = delete;
  ExternalToken& operator=(const ExternalToken&) = delete;

  // ENOENT, ENOTDIR, EACCES, ... with the directory.
  Status write(const std::string& external);

  const std::string& path() const { return path_; }
  const std::string& content() const { return content_; }

 private:
  std::string path_;
  std::string content_;
};

}  // namespace forebay::cli
