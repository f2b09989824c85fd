// Layout arithmetic (paper 4.1, Eq. 2): chunks go round robin over the targets of a layout, and on each target the
// chunks of one file lie densely packed in one chunk file.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "core/protocol/types.h"

namespace forebay {

// What a layout may say: a chunk is held in memory while it is fetched.
constexpr uint64_t kLeastChunkBytes = 64 << 10, kMostChunkBytes = 64 << 20;
constexpr size_t kMostStripes = 256;

// One target's part of a file. A chunk file counts its bytes without the gaps in which the other targets' chunks are:
// in local offsets. A file on a single target is one part, and its local offsets are those of the file.
struct Stripe {
  uint64_t chunk_bytes = 512 << 10;
  uint32_t count = 1;  // of targets
  uint32_t index = 0;  // among them

  // The part of targets[index].
  static Stripe of(const Layout& layout, size_t index) {
    return {layout.chunk_size_bytes, static_cast<uint32_t>(layout.targets.size()), static_cast<uint32_t>(index)};
  }

  bool alone() const { return count == 1; }

  // How many bytes of the file's first `offset` are of this part. So [begin, end) of the file is
  // [local_below(begin), local_below(end)) of the part.
  uint64_t local_below(uint64_t offset) const {
    if (alone()) return offset;
    const uint64_t row_bytes = count * chunk_bytes;
    const uint64_t in_row = offset % row_bytes, before = index * chunk_bytes;
    return offset / row_bytes * chunk_bytes + std::clamp(in_row, before, before + chunk_bytes) - before;
  }
  // Where the part's byte `local` lies in the file.
  uint64_t file_offset(uint64_t local) const {
    if (alone()) return local;
    return (local / chunk_bytes * count + index) * chunk_bytes + local % chunk_bytes;
  }
  // The end of the smallest file that has so many bytes of this part.
  uint64_t file_end(uint64_t local_bytes) const { return local_bytes == 0 ? 0 : file_offset(local_bytes - 1) + 1; }
  // From `local` on, how many bytes of the part follow each other in the file.
  uint64_t run(uint64_t local) const { return alone() ? UINT64_MAX - local : chunk_bytes - local % chunk_bytes; }
  // Whether [offset, offset + bytes) of the file lies in one chunk of the part.
  bool holds(uint64_t offset, uint64_t bytes) const {
    if (alone()) return true;
    return offset / chunk_bytes % count == index && bytes <= chunk_bytes - offset % chunk_bytes;
  }

  bool operator==(const Stripe&) const = default;
};

// Which part has byte `offset` of a file.
inline size_t part_of(const Layout& layout, uint64_t offset) {
  return static_cast<size_t>(offset / layout.chunk_size_bytes % layout.targets.size());
}

// A piece of a request that one part answers.
struct Piece {
  size_t part = 0;
  uint64_t offset = 0;  // in the file
  uint64_t bytes = 0;
};

// The first piece of [offset, offset + bytes), for bytes > 0.
inline Piece first_piece(const Layout& layout, uint64_t offset, uint64_t bytes) {
  assert(bytes > 0);
  if (layout.targets.size() == 1) return {0, offset, bytes};
  return {part_of(layout, offset), offset, std::min(bytes, layout.chunk_size_bytes - offset % layout.chunk_size_bytes)};
}

}  // namespace forebay
