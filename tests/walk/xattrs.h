// Extended attributes of a path, of a handle: one interface for both.
#pragma once

#include <string>
#include <vector>

#include "op.h"
#include "side.h"

namespace forebay::walk {

// Names under which the cache tells its own state; they are nowhere else.
inline constexpr const char* kOwnXattrPrefix = "user.forebay.";

// Whatever the operation names: its slot, or its place (not following links).
class XattrTarget {
 public:
  XattrTarget(Side& side, const Op& op);

  ssize_t get(const char* name, void* value, size_t size) const;
  ssize_t list(char* names, size_t size) const;
  int set(const char* name, const std::string& value, int flags) const;
  int remove(const char* name) const;

 private:
  int fd_ = -1;
  std::string path_;
};

// The names in a listing, sorted, without the cache's own.
std::vector<std::string> split_names(const char* names, size_t size);

}  // namespace forebay::walk
