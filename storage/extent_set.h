// ExtentSet: a set of bytes of a file, kept as disjoint half-open ranges.
//
// A std::map from the start of each range to its end; neighbours are merged, so the map is as small as the set allows.
// All operations cost O(log n + ranges touched). Not thread safe.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

namespace forebay::storage {

// Behind every byte that a file may have.
inline constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

struct Extent {
  uint64_t begin = 0;  // bytes
  uint64_t end = 0;    // bytes, exclusive

  uint64_t size() const { return end - begin; }
  bool operator==(const Extent&) const = default;
};

class ExtentSet {
 public:
  void add(uint64_t begin, uint64_t end);
  void remove(uint64_t begin, uint64_t end);
  void add(const ExtentSet& other);
  void remove(const ExtentSet& other);
  void clear();

  bool empty() const { return ranges_.empty(); }
  uint64_t bytes() const { return bytes_; }
  size_t count() const { return ranges_.size(); }

  // Whether every byte of [begin, end) is in the set. True for an empty range.
  bool contains(uint64_t begin, uint64_t end) const;
  bool intersects(uint64_t begin, uint64_t end) const;
  // How many bytes of [begin, end) are in the set.
  uint64_t bytes_in(uint64_t begin, uint64_t end) const;

  // The first range that ends behind `offset`, cut to begin at `offset` or later; false if there is none.
  bool next(uint64_t offset, Extent* extent) const;
  // The parts of [begin, end) that are not in the set.
  std::vector<Extent> gaps(uint64_t begin, uint64_t end) const;

  std::vector<Extent> extents() const;

 private:
  std::map<uint64_t, uint64_t> ranges_;
  uint64_t bytes_ = 0;
};

}  // namespace forebay::storage
