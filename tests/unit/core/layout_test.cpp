#include "core/layout.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace forebay {
namespace {

Layout striped(uint64_t chunk_size_bytes, size_t targets) {
  Layout layout;
  layout.chunk_size_bytes = chunk_size_bytes;
  layout.targets.assign(targets, 0);
  return layout;
}

TEST(Layout, OneTargetHoldsTheFileAsItIs) {
  const Layout layout = striped(512 << 10, 1);
  for (const uint64_t offset : {0ull, 1ull, 524287ull, 524288ull, 123456789ull, 1ull << 62}) {
    EXPECT_EQ(locate(layout, offset).server_index, 0u);
    EXPECT_EQ(locate(layout, offset).local_offset, offset);
    EXPECT_EQ(file_offset(layout, 0, offset), offset);
  }
}

TEST(Layout, ChunksGoRoundRobinAndLieDenselyPacked) {
  const Layout layout = striped(100, 3);
  const struct {
    uint64_t offset;
    size_t server;
    uint64_t local;
  } cases[] = {{0, 0, 0},     {99, 0, 99},   {100, 1, 0},   {199, 1, 99},  {200, 2, 0},
               {300, 0, 100}, {399, 0, 199}, {400, 1, 100}, {850, 2, 250}, {900, 0, 300}};
  for (const auto& expected : cases) {
    const ChunkLocation found = locate(layout, expected.offset);
    EXPECT_EQ(found.server_index, expected.server) << expected.offset;
    EXPECT_EQ(found.local_offset, expected.local) << expected.offset;
  }
}

// Eq. 2 of the paper: chunk i of the chunk file on server s begins at i * stripeSetSize + s * chunkSize of the file.
TEST(Layout, FileOffsetIsThePapersEquation) {
  const Layout layout = striped(1 << 20, 4);
  const uint64_t stripe_set = 4 << 20;
  for (uint64_t row = 0; row < 5; ++row) {
    for (size_t server = 0; server < 4; ++server) {
      EXPECT_EQ(file_offset(layout, server, row << 20), row * stripe_set + server * (1 << 20));
    }
  }
}

TEST(Layout, LocateAndFileOffsetAreInverse) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t chunk = 1ull << (12 + random() % 12);
    const Layout layout = striped(chunk, 1 + random() % 17);
    const uint64_t offset = random() >> (1 + random() % 60);
    const ChunkLocation there = locate(layout, offset);
    ASSERT_LT(there.server_index, layout.targets.size());
    ASSERT_EQ(file_offset(layout, there.server_index, there.local_offset), offset)
        << "chunk size " << chunk << ", targets " << layout.targets.size();
  }
}

TEST(Layout, NoTwoBytesShareAPlaceAndNoPlaceIsLeftOut) {
  const Layout layout = striped(4, 3);
  std::set<std::pair<size_t, uint64_t>> places;
  constexpr uint64_t kBytes = 4 * 3 * 10;
  for (uint64_t offset = 0; offset < kBytes; ++offset) {
    const ChunkLocation place = locate(layout, offset);
    EXPECT_TRUE(places.emplace(place.server_index, place.local_offset).second) << offset;
    EXPECT_LT(place.local_offset, kBytes / 3);
  }
  EXPECT_EQ(places.size(), kBytes);
}

}  // namespace
}  // namespace forebay
