// CacheLock: a cache directory belongs to one link, and to one process at a time.
#pragma once

#include <string>

#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::cachefs {

class CacheLock {
 public:
  // Takes the cache directory for the link to `external`; makes the directory if it is missing. EBUSY when another
  // process has it; EEXIST when it belongs to another external directory; ENOTEMPTY when it holds something else.
  static Result<CacheLock> take(const std::string& directory, const std::string& external);

 private:
  UniqueFd fd_;
};

}  // namespace forebay::cachefs
