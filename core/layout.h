// Layout arithmetic (paper 4.1, Eq. 2): chunks go round robin over the targets of a layout, and on each target the
// chunks of one file lie densely packed in one chunk file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/protocol/types.h"

namespace forebay {

struct ChunkLocation {
  size_t server_index;    // position in Layout::targets
  uint64_t local_offset;  // byte offset in that target's chunk file
};

// What a layout may say: a chunk is held in memory while it is fetched.
constexpr uint64_t kLeastChunkBytes = 64 << 10, kMostChunkBytes = 64 << 20;
constexpr size_t kMostTargetsOfFile = 4096;

// Where byte `offset` of a file lies.
inline ChunkLocation locate(const Layout& layout, uint64_t offset) {
  const uint64_t chunk = offset / layout.chunk_size_bytes;
  const uint64_t servers = layout.targets.size();
  return {static_cast<size_t>(chunk % servers),
          chunk / servers * layout.chunk_size_bytes + offset % layout.chunk_size_bytes};
}

// The inverse: which byte of the file lies at `local_offset` of the chunk file on targets[server_index].
inline uint64_t file_offset(const Layout& layout, size_t server_index, uint64_t local_offset) {
  const uint64_t stripe_set_size = layout.targets.size() * layout.chunk_size_bytes;
  const uint64_t row = local_offset / layout.chunk_size_bytes;
  return row * stripe_set_size + server_index * layout.chunk_size_bytes + local_offset % layout.chunk_size_bytes;
}

}  // namespace forebay
