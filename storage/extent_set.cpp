#include "storage/extent_set.h"

#include <algorithm>
#include <iterator>

namespace forebay::storage {

void ExtentSet::add(uint64_t begin, uint64_t end) {
  assert(begin <= end);
  if (begin == end) return;
  auto it = ranges_.upper_bound(begin);
  if (it != ranges_.begin() && std::prev(it)->second >= begin) --it;
  // `it` is the first range that touches [begin, end]; swallow all that do.
  while (it != ranges_.end() && it->first <= end) {
    begin = std::min(begin, it->first);
    end = std::max(end, it->second);
    bytes_ -= it->second - it->first;
    it = ranges_.erase(it);
  }
  ranges_.emplace_hint(it, begin, end);
  bytes_ += end - begin;
}

void ExtentSet::remove(uint64_t begin, uint64_t end) {
  assert(begin <= end);
  if (begin == end) return;
  auto it = ranges_.upper_bound(begin);
  if (it != ranges_.begin() && std::prev(it)->second > begin) --it;
  while (it != ranges_.end() && it->first < end) {
    const Extent old{it->first, it->second};
    it = ranges_.erase(it);
    bytes_ -= old.size();
    if (old.begin < begin) {
      ranges_.emplace(old.begin, begin);
      bytes_ += begin - old.begin;
    }
    if (old.end > end) {
      it = ranges_.emplace(end, old.end).first;
      bytes_ += old.end - end;
      break;
    }
  }
}

void ExtentSet::add(const ExtentSet& other) {
  for (const auto& [begin, end] : other.ranges_) add(begin, end);
}

void ExtentSet::remove(const ExtentSet& other) {
  for (const auto& [begin, end] : other.ranges_) remove(begin, end);
}

void ExtentSet::clear() {
  ranges_.clear();
  bytes_ = 0;
}

bool ExtentSet::contains(uint64_t begin, uint64_t end) const {
  if (begin >= end) return true;
  const auto it = ranges_.upper_bound(begin);
  return it != ranges_.begin() && std::prev(it)->second >= end;
}

bool ExtentSet::intersects(uint64_t begin, uint64_t end) const {
  Extent extent;
  return begin < end && next(begin, &extent) && extent.begin < end;
}

uint64_t ExtentSet::bytes_in(uint64_t begin, uint64_t end) const {
  uint64_t bytes = 0;
  Extent extent;
  while (begin < end && next(begin, &extent) && extent.begin < end) {
    bytes += std::min(extent.end, end) - extent.begin;
    begin = extent.end;
  }
  return bytes;
}

bool ExtentSet::next(uint64_t offset, Extent* extent) const {
  auto it = ranges_.upper_bound(offset);
  if (it != ranges_.begin() && std::prev(it)->second > offset) --it;
  if (it == ranges_.end()) return false;
  *extent = {std::max(it->first, offset), it->second};
  return true;
}

std::vector<Extent> ExtentSet::gaps(uint64_t begin, uint64_t end) const {
  std::vector<Extent> gaps;
  Extent extent;
  while (begin < end) {
    if (!next(begin, &extent) || extent.begin >= end) {
      gaps.push_back({begin, end});
      break;
    }
    if (extent.begin > begin) gaps.push_back({begin, extent.begin});
    begin = extent.end;
  }
  return gaps;
}

std::vector<Extent> ExtentSet::extents() const {
  std::vector<Extent> extents;
  extents.reserve(ranges_.size());
  for (const auto& [begin, end] : ranges_) extents.push_back({begin, end});
  return extents;
}

}  // namespace forebay::storage
