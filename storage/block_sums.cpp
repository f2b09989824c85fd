#include "storage/block_sums.h"

#include <xxhash.h>

#include <algorithm>

namespace forebay::storage {
namespace {

uint64_t sum_of(std::span<const char> bytes) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), bytes.size()); }

}  // namespace

bool BlockSums::matches(uint64_t block, std::span<const char> bytes) const {
  const auto it = sums_.find(block);
  return it != sums_.end() && it->second == sum_of(bytes);
}

void BlockSums::set(uint64_t begin, std::span<const char> bytes, uint64_t size) {
  const uint64_t end = begin + bytes.size();
  forget({begin, end});
  for (uint64_t block = (begin + kBlockBytes - 1) / kBlockBytes; block * kBlockBytes < end; ++block) {
    const uint64_t at = block * kBlockBytes;
    const uint64_t block_end = std::min(at + kBlockBytes, size);
    if (block_end > end) return;
    sums_[block] = sum_of(bytes.subspan(at - begin, block_end - at));
  }
}

void BlockSums::forget(Extent range) {
  if (range.begin >= range.end || sums_.empty()) return;
  const uint64_t first = range.begin / kBlockBytes;
  const uint64_t last = (range.end - 1) / kBlockBytes;
  if (last - first >= sums_.size()) {
    std::erase_if(sums_, [&](const auto& known) { return known.first >= first && known.first <= last; });
    return;
  }
  for (uint64_t block = first; block <= last; ++block) sums_.erase(block);
}

}  // namespace forebay::storage
