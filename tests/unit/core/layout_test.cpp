#include "core/layout.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace forebay {
namespace {

Layout striped(uint64_t chunk_size_bytes, size_t targets) {
  Layout layout;
  layout.chunk_size_bytes = chunk_size_bytes;
  layout.targets.assign(targets, 0);
  return layout;
}

Stripe part(uint64_t chunk_bytes, uint32_t count, uint32_t index) { return {chunk_bytes, count, index}; }

TEST(Layout, OneTargetHoldsTheFileAsItIs) {
  const Stripe whole = part(512 << 10, 1, 0);
  for (const uint64_t offset : {0ull, 1ull, 524287ull, 524288ull, 123456789ull, 1ull << 62}) {
    EXPECT_EQ(part_of(striped(512 << 10, 1), offset), 0u);
    EXPECT_EQ(whole.local_below(offset), offset);
    EXPECT_EQ(whole.file_offset(offset), offset);
    EXPECT_EQ(whole.file_end(offset), offset);
    EXPECT_TRUE(whole.holds(offset, 1 << 30));
  }
}

TEST(Layout, ChunksGoRoundRobinAndLieDenselyPacked) {
  const Layout layout = striped(100, 3);
  const struct {
    uint64_t offset;
    uint32_t server;
    uint64_t local;
  } cases[] = {{0, 0, 0},     {99, 0, 99},   {100, 1, 0},   {199, 1, 99},  {200, 2, 0},
               {300, 0, 100}, {399, 0, 199}, {400, 1, 100}, {850, 2, 250}, {900, 0, 300}};
  for (const auto& expected : cases) {
    EXPECT_EQ(part_of(layout, expected.offset), expected.server) << expected.offset;
    EXPECT_EQ(part(100, 3, expected.server).local_below(expected.offset), expected.local) << expected.offset;
  }
}

// Eq. 2 of the paper: chunk i of the chunk file on server s begins at i * stripeSetSize + s * chunkSize of the file.
TEST(Layout, FileOffsetIsThePapersEquation) {
  const uint64_t stripe_set = 4 << 20;
  for (uint64_t row = 0; row < 5; ++row) {
    for (uint32_t server = 0; server < 4; ++server) {
      EXPECT_EQ(part(1 << 20, 4, server).file_offset(row << 20), row * stripe_set + server * (1 << 20));
    }
  }
}

// The model counts byte by byte.
TEST(Layout, SizesOfPartsAreThoseOfTheirBytes) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 200; ++i) {
    const uint64_t chunk = 1 + random() % 7;
    const auto count = static_cast<uint32_t>(1 + random() % 5);
    const Layout layout = striped(chunk, count);
    std::vector<uint64_t> bytes(count);
    for (uint64_t offset = 0; offset < 200; ++offset) {
      const size_t owner = part_of(layout, offset);
      uint64_t end = 0;
      for (uint32_t index = 0; index < count; ++index) {
        const Stripe stripe = part(chunk, count, index);
        ASSERT_EQ(stripe.local_below(offset), bytes[index]) << chunk << " x " << count << " at " << offset;
        ASSERT_EQ(stripe.holds(offset, 1), index == owner);
        end = std::max(end, stripe.file_end(bytes[index]));
      }
      ASSERT_EQ(end, offset) << "the largest end of a part is the file's";
      ASSERT_EQ(part(chunk, count, static_cast<uint32_t>(owner)).file_offset(bytes[owner]), offset);
      ++bytes[owner];
    }
  }
}

TEST(Layout, APieceEndsWithItsChunk) {
  const Layout layout = striped(100, 3);
  EXPECT_EQ(first_piece(layout, 0, 1000).bytes, 100u);
  EXPECT_EQ(first_piece(layout, 250, 1000).bytes, 50u);
  EXPECT_EQ(first_piece(layout, 250, 1000).part, 2u);
  EXPECT_EQ(first_piece(layout, 310, 20).bytes, 20u);
  EXPECT_EQ(first_piece(striped(100, 1), 250, 1000).bytes, 1000u);
  EXPECT_TRUE(part(100, 3, 2).holds(250, 50));
  EXPECT_FALSE(part(100, 3, 2).holds(250, 51));
  EXPECT_FALSE(part(100, 3, 1).holds(250, 1));
  EXPECT_EQ(part(100, 3, 1).run(130), 70u);
}

}  // namespace
}  // namespace forebay
