// LockRanges: the locks that are set on one file, in one space.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/protocol/locks.h"
#include "core/result.h"

namespace forebay::meta {

// Of one owner no two overlap, and none of the same kind touch; of several owners only shared ones overlap: that is the
// caller's to see to, with conflict(). Not thread safe.
class LockRanges {
 public:
  struct Range {
    LockOwner owner;
    uint64_t begin = 0, end = 0;  // bytes [begin, end)
    bool exclusive = false;
    pid_t pid = 0;
  };

  // The first lock of another owner that stands against the request; null: none does. Valid until the next change.
  const Range* conflict(const LockRequest& request) const;
  // The owners of all of them, each once.
  std::vector<LockOwner> conflicting_owners(const LockRequest& request) const;
  // Whether the owner has just this, or a larger one of the same kind.
  bool has(const LockRequest& request) const;
  bool has_any(const LockOwner& owner) const;
  // The owner's that overlap or touch the range of `request`.
  std::vector<Range> near(const LockRequest& request) const;

  // The owner has `request` from now on, instead of what it had within its range. Returns by how many locks there are
  // more now. ENOLCK, and nothing changes, if there would be more than `most`.
  Result<ptrdiff_t> set(const LockRequest& request, size_t most);
  // The owner has nothing within the range of `request` from now on.
  Result<ptrdiff_t> clear(const LockRequest& request, size_t most);
  // How many there were.
  size_t clear_session(uint64_t session);

  size_t count() const { return ranges_.size(); }
  bool empty() const { return ranges_.empty(); }
  const std::vector<Range>& all() const { return ranges_; }

 private:
  Result<ptrdiff_t> replace(const LockRequest& request, bool with_lock, size_t most);

  std::vector<Range> ranges_;  // by their beginning
};

}  // namespace forebay::meta
