#include "storage/block_sums.h"

#include <gtest/gtest.h>

#include <string>

namespace forebay::storage {
namespace {

constexpr uint64_t kBlock = BlockSums::kBlockBytes;

class BlockSumsTest : public testing::Test {
 protected:
  BlockSumsTest() {
    for (size_t i = 0; i < content_.size(); ++i) content_[i] = static_cast<char>(i * 2654435761u >> 13);
  }
  std::span<const char> part(uint64_t begin, uint64_t end) const {
    return std::span(content_).subspan(begin, end - begin);
  }
  bool matches(uint64_t block) const {
    return sums_.matches(block, part(block * kBlock, std::min((block + 1) * kBlock, kSize)));
  }

  static constexpr uint64_t kSize = 3 * kBlock + 100;
  std::string content_ = std::string(kSize, '\0');
  BlockSums sums_;
};

TEST_F(BlockSumsTest, KnowsWhatWasSetUpToAShortLastBlock) {
  EXPECT_FALSE(matches(0));
  sums_.set(0, part(0, kSize), kSize);
  for (uint64_t block = 0; block < 4; ++block) EXPECT_TRUE(matches(block)) << block;
  EXPECT_FALSE(sums_.knows(4));
}

TEST_F(BlockSumsTest, AnyOtherByteIsSeen) {
  sums_.set(0, part(0, kSize), kSize);
  for (const uint64_t at : {kBlock, 2 * kBlock - 1}) {
    content_[at] = static_cast<char>(content_[at] + 1);
    EXPECT_FALSE(matches(1));
    content_[at] = static_cast<char>(content_[at] - 1);
    EXPECT_TRUE(matches(1));
  }
}

// A file that grew by zeros is another one.
TEST_F(BlockSumsTest, TheLengthCounts) {
  const std::string zeros(200, '\0');
  sums_.set(0, std::span(zeros).first(100), 100);
  EXPECT_TRUE(sums_.matches(0, std::span(zeros).first(100)));
  EXPECT_FALSE(sums_.matches(0, zeros));
}

TEST_F(BlockSumsTest, ABlockThatIsCoveredInPartIsForgotten) {
  sums_.set(0, part(0, kSize), kSize);
  sums_.set(kBlock + 1, part(kBlock + 1, 3 * kBlock + 50), kSize);
  EXPECT_TRUE(sums_.knows(0));
  EXPECT_FALSE(sums_.knows(1));
  EXPECT_TRUE(matches(2));
  EXPECT_FALSE(sums_.knows(3));
}

TEST_F(BlockSumsTest, ForgetTakesEveryBlockThatIsTouched) {
  sums_.set(0, part(0, kSize), kSize);
  sums_.forget({kBlock - 1, kBlock + 1});
  EXPECT_FALSE(sums_.knows(0));
  EXPECT_FALSE(sums_.knows(1));
  EXPECT_TRUE(sums_.knows(2));
  sums_.forget({5, 5});
  sums_.forget({2 * kBlock, kNoEnd});
  EXPECT_FALSE(sums_.knows(2));
  EXPECT_FALSE(sums_.knows(3));
}

}  // namespace
}  // namespace forebay::storage
