// The last operations of a thread, for the report of a disagreement.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "op.h"

namespace forebay::walk {

class History {
 public:
  void add(const Op& op, int64_t value, int error, uint64_t inode);

  // The last `count` operations, oldest first.
  std::string last(size_t count) const;
  // The last `count` of those that name the same inode or the same path as this one.
  std::string about(const Op& op, uint64_t inode, size_t count) const;

 private:
  static constexpr size_t kKept = 4096;

  struct Record {
    Op op;
    int64_t value = 0;
    int error = 0;
    uint64_t inode = 0;
  };

  // Lines of the records that fit, newest first in the walk back, oldest first in the text.
  template <typename Predicate>
  std::string lines(size_t count, Predicate&& fits) const;

  std::vector<Record> ring_;
  size_t next_ = 0;
};

}  // namespace forebay::walk
