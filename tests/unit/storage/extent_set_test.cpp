#include "storage/extent_set.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace forebay::storage {

// For the messages of failed comparisons.
static void PrintTo(const Extent& extent, std::ostream* out) {
  *out << '[' << extent.begin << ", " << extent.end << ')';
}

namespace {

using Extents = std::vector<Extent>;

ExtentSet set_of(const Extents& extents) {
  ExtentSet set;
  for (const Extent& extent : extents) set.add(extent.begin, extent.end);
  return set;
}

TEST(ExtentSet, IsEmptyAtFirst) {
  const ExtentSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.bytes(), 0u);
  EXPECT_EQ(set.count(), 0u);
  Extent extent;
  EXPECT_FALSE(set.next(0, &extent));
}

TEST(ExtentSet, AddingARangeThatTouchesMergesNeighbours) {
  EXPECT_EQ(set_of({{0, 10}, {10, 20}}).extents(), (Extents{{0, 20}}));
  EXPECT_EQ(set_of({{10, 20}, {0, 10}}).extents(), (Extents{{0, 20}}));
  EXPECT_EQ(set_of({{0, 10}, {20, 30}, {10, 20}}).extents(), (Extents{{0, 30}}));
}

TEST(ExtentSet, AddingAcrossManyRangesSwallowsThem) {
  EXPECT_EQ(set_of({{0, 2}, {4, 6}, {8, 10}, {12, 14}, {5, 13}}).extents(), (Extents{{0, 2}, {4, 14}}));
  EXPECT_EQ(set_of({{5, 6}, {0, 100}}).extents(), (Extents{{0, 100}}));
  EXPECT_EQ(set_of({{0, 100}, {5, 6}}).extents(), (Extents{{0, 100}}));
}

TEST(ExtentSet, RangesWithAGapStayApart) {
  EXPECT_EQ(set_of({{0, 10}, {11, 20}}).extents(), (Extents{{0, 10}, {11, 20}}));
}

TEST(ExtentSet, RemovingInsideSplits) {
  ExtentSet set = set_of({{0, 100}});
  set.remove(40, 60);
  EXPECT_EQ(set.extents(), (Extents{{0, 40}, {60, 100}}));
  EXPECT_EQ(set.bytes(), 80u);
}

TEST(ExtentSet, RemovingTrimsBothNeighboursAndErasesBetween) {
  ExtentSet set = set_of({{0, 10}, {20, 30}, {40, 50}});
  set.remove(5, 45);
  EXPECT_EQ(set.extents(), (Extents{{0, 5}, {45, 50}}));
}

TEST(ExtentSet, RemovingWhatOnlyTouchesChangesNothing) {
  ExtentSet set = set_of({{10, 20}});
  set.remove(0, 10);
  set.remove(20, 30);
  EXPECT_EQ(set.extents(), (Extents{{10, 20}}));
}

TEST(ExtentSet, AnEmptyRangeChangesNothing) {
  ExtentSet set = set_of({{10, 20}});
  set.add(15, 15);
  set.add(30, 30);
  set.remove(15, 15);
  EXPECT_EQ(set.extents(), (Extents{{10, 20}}));
}

TEST(ExtentSet, ReachesTheEndOfTheNumbers) {
  constexpr uint64_t kEnd = std::numeric_limits<uint64_t>::max();
  ExtentSet set = set_of({{0, kEnd}});
  EXPECT_EQ(set.bytes(), kEnd);
  set.remove(100, kEnd);
  EXPECT_EQ(set.extents(), (Extents{{0, 100}}));
}

TEST(ExtentSet, ContainsAsksForEveryByte) {
  const ExtentSet set = set_of({{10, 20}, {21, 30}});
  EXPECT_TRUE(set.contains(10, 20));
  EXPECT_TRUE(set.contains(12, 13));
  EXPECT_FALSE(set.contains(9, 20));
  EXPECT_FALSE(set.contains(10, 21));
  EXPECT_FALSE(set.contains(15, 25));
  EXPECT_TRUE(set.contains(100, 100)) << "an empty range is in every set";
}

TEST(ExtentSet, IntersectsAsksForOneByte) {
  const ExtentSet set = set_of({{10, 20}});
  EXPECT_FALSE(set.intersects(0, 10));
  EXPECT_TRUE(set.intersects(0, 11));
  EXPECT_TRUE(set.intersects(19, 100));
  EXPECT_FALSE(set.intersects(20, 100));
  EXPECT_FALSE(set.intersects(15, 15));
}

TEST(ExtentSet, NextIsCutToBeginAtTheOffset) {
  const ExtentSet set = set_of({{10, 20}, {30, 40}});
  Extent extent;
  ASSERT_TRUE(set.next(0, &extent));
  EXPECT_EQ(extent, (Extent{10, 20}));
  ASSERT_TRUE(set.next(15, &extent));
  EXPECT_EQ(extent, (Extent{15, 20}));
  ASSERT_TRUE(set.next(20, &extent));
  EXPECT_EQ(extent, (Extent{30, 40}));
  EXPECT_FALSE(set.next(40, &extent));
}

TEST(ExtentSet, GapsAreWhatIsNotInTheSet) {
  const ExtentSet set = set_of({{10, 20}, {30, 40}});
  EXPECT_EQ(set.gaps(0, 50), (Extents{{0, 10}, {20, 30}, {40, 50}}));
  EXPECT_EQ(set.gaps(10, 40), (Extents{{20, 30}}));
  EXPECT_EQ(set.gaps(12, 18), (Extents{}));
  EXPECT_EQ(set.gaps(22, 28), (Extents{{22, 28}}));
  EXPECT_EQ(set.gaps(5, 5), (Extents{}));
  EXPECT_EQ(ExtentSet().gaps(3, 9), (Extents{{3, 9}}));
}

TEST(ExtentSet, SetsAreAddedAndRemovedAsAWhole) {
  ExtentSet set = set_of({{0, 100}});
  set.remove(set_of({{10, 20}, {90, 110}}));
  EXPECT_EQ(set.extents(), (Extents{{0, 10}, {20, 90}}));
  set.add(set_of({{5, 25}, {200, 201}}));
  EXPECT_EQ(set.extents(), (Extents{{0, 90}, {200, 201}}));
  set.clear();
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.bytes(), 0u);
}

// Every answer is compared with a bitmap's.
TEST(ExtentSet, AgreesWithABitmapOverRandomChanges) {
  const uint32_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  constexpr uint64_t kBytes = 200;
  for (int round = 0; round < 40; ++round) {
    ExtentSet set;
    std::vector<bool> bitmap(kBytes);
    for (int step = 0; step < 200; ++step) {
      uint64_t begin = random() % (kBytes + 1), end = random() % (kBytes + 1);
      if (begin > end) std::swap(begin, end);
      if (random() % 2 == 0) end = std::min(end, begin + 10);
      const bool add = random() % 2 == 0;
      add ? set.add(begin, end) : set.remove(begin, end);
      for (uint64_t at = begin; at < end; ++at) bitmap[at] = add;

      Extents expected;
      for (uint64_t at = 0; at < kBytes; ++at) {
        if (!bitmap[at]) continue;
        if (!expected.empty() && expected.back().end == at) {
          ++expected.back().end;
        } else {
          expected.push_back({at, at + 1});
        }
      }
      ASSERT_EQ(set.extents(), expected) << "round " << round << ", step " << step;
      ASSERT_EQ(set.count(), expected.size());
      ASSERT_EQ(set.bytes(), static_cast<uint64_t>(std::count(bitmap.begin(), bitmap.end(), true)));

      uint64_t from = random() % kBytes, to = random() % kBytes;
      if (from > to) std::swap(from, to);
      const auto inside = static_cast<uint64_t>(
          std::count(bitmap.begin() + static_cast<int64_t>(from), bitmap.begin() + static_cast<int64_t>(to), true));
      ASSERT_EQ(set.bytes_in(from, to), inside);
      ASSERT_EQ(set.contains(from, to), inside == to - from);
      ASSERT_EQ(set.intersects(from, to), inside > 0);
      ExtentSet complement;
      for (const Extent& gap : set.gaps(from, to)) {
        ASSERT_LT(gap.begin, gap.end);
        complement.add(gap.begin, gap.end);
      }
      ASSERT_EQ(complement.bytes(), to - from - inside);
      for (uint64_t at = from; at < to; ++at) ASSERT_EQ(complement.contains(at, at + 1), !bitmap[at]) << at;
    }
  }
}

}  // namespace
}  // namespace forebay::storage
