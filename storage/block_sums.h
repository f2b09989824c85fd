// BlockSums: what the outside has of a file, as hashes of its blocks, as far as it is known.
//
// Applications that hold a write lease change the chunk file unseen. A flush finds out which blocks it must move by
// comparing them with these. A sum is always that of the bytes outside, whatever was written here meanwhile. Not thread
// safe.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "storage/extent_set.h"

namespace forebay::storage {

class BlockSums {
 public:
  static constexpr uint64_t kBlockBytes = 64 << 10;

  bool knows(uint64_t block) const { return sums_.contains(block); }
  // False when the block is not known.
  bool matches(uint64_t block, std::span<const char> bytes) const;
  // The outside has `bytes` from `begin` on: replaces what was known of that range. A block that is covered in part is
  // not known afterwards, unless it ends with the file, at `size`.
  void set(uint64_t begin, std::span<const char> bytes, uint64_t size);
  // Nothing is known of the blocks that the range touches.
  void forget(Extent range);
  void clear() { sums_.clear(); }

 private:
  std::unordered_map<uint64_t, uint64_t> sums_;
};

}  // namespace forebay::storage
