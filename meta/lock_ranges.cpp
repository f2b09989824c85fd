#include "meta/lock_ranges.h"

#include <algorithm>

namespace forebay::meta {
namespace {

bool stands_against(const LockRanges::Range& range, const LockRequest& request) {
  return range.begin < request.end && request.begin < range.end && (range.exclusive || request.exclusive) &&
         range.owner != request.owner;
}

bool begins_before(const LockRanges::Range& left, const LockRanges::Range& right) { return left.begin < right.begin; }

}  // namespace

const LockRanges::Range* LockRanges::conflict(const LockRequest& request) const {
  for (const Range& range : ranges_) {
    if (range.begin >= request.end) break;
    if (stands_against(range, request)) return &range;
  }
  return nullptr;
}

std::vector<LockOwner> LockRanges::conflicting_owners(const LockRequest& request) const {
  std::vector<LockOwner> owners;
  for (const Range& range : ranges_) {
    if (range.begin >= request.end) break;
    if (stands_against(range, request)) owners.push_back(range.owner);
  }
  std::sort(owners.begin(), owners.end());
  owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
  return owners;
}

// Locks of one kind that touch are one: so it is in one of them, or in none.
bool LockRanges::has(const LockRequest& request) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
    return range.owner == request.owner && range.exclusive == request.exclusive && range.begin <= request.begin &&
           request.end <= range.end;
  });
}

bool LockRanges::has_any(const LockOwner& owner) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) { return range.owner == owner; });
}

std::vector<LockRanges::Range> LockRanges::near(const LockRequest& request) const {
  std::vector<Range> found;
  for (const Range& range : ranges_) {
    if (range.begin > request.end) break;
    if (range.owner == request.owner && request.begin <= range.end) found.push_back(range);
  }
  return found;
}

Result<ptrdiff_t> LockRanges::set(const LockRequest& request, size_t most) { return replace(request, true, most); }
Result<ptrdiff_t> LockRanges::clear(const LockRequest& request, size_t most) { return replace(request, false, most); }

Result<ptrdiff_t> LockRanges::replace(const LockRequest& request, bool with_lock, size_t most) {
  Range made{request.owner, request.begin, request.end, request.exclusive, request.pid};
  std::vector<Range> rest;  // of locks that it takes a part of
  const auto is_replaced = [&](const Range& range) {
    if (range.owner != request.owner) return false;
    if (with_lock && range.exclusive == request.exclusive) return range.begin <= made.end && made.begin <= range.end;
    return range.begin < request.end && request.begin < range.end;
  };
  size_t replaced = 0;
  for (const Range& range : ranges_) {
    if (!is_replaced(range)) continue;
    ++replaced;
    if (with_lock && range.exclusive == request.exclusive) {
      made.begin = std::min(made.begin, range.begin);
      made.end = std::max(made.end, range.end);
      continue;
    }
    if (range.begin < request.begin)
      rest.push_back({range.owner, range.begin, request.begin, range.exclusive, range.pid});
    if (request.end < range.end) rest.push_back({range.owner, request.end, range.end, range.exclusive, range.pid});
  }
  if (with_lock) rest.push_back(made);
  if (rest.size() > replaced && ranges_.size() + rest.size() - replaced > most) return fail(ENOLCK);
  std::erase_if(ranges_, is_replaced);
  for (const Range& range : rest) {
    ranges_.insert(std::upper_bound(ranges_.begin(), ranges_.end(), range, begins_before), range);
  }
  return static_cast<ptrdiff_t>(rest.size()) - static_cast<ptrdiff_t>(replaced);
}

size_t LockRanges::clear_session(uint64_t session) {
  return std::erase_if(ranges_, [session](const Range& range) { return range.owner.session == session; });
}

}  // namespace forebay::meta
