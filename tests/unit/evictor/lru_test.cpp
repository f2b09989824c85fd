#include "evictor/lru.h"

#include <gtest/gtest.h>

namespace forebay::evictor {
namespace {

using Ids = std::vector<InodeId>;

TEST(Lru, OldestFirst) {
  Lru lru;
  for (const InodeId id : {3, 1, 2}) lru.touch(id);
  EXPECT_EQ(lru.oldest(10), (Ids{3, 1, 2}));
  EXPECT_EQ(lru.oldest(2), (Ids{3, 1}));
  EXPECT_EQ(lru.oldest(0), Ids{});
}

TEST(Lru, ATouchedFileIsTheLastToLeave) {
  Lru lru;
  for (const InodeId id : {1, 2, 3}) lru.touch(id);
  lru.touch(1);
  EXPECT_EQ(lru.oldest(10), (Ids{2, 3, 1}));
  lru.touch(1);
  EXPECT_EQ(lru.oldest(10), (Ids{2, 3, 1}));
  EXPECT_EQ(lru.size(), 3u);
}

TEST(Lru, ARemovedFileIsGone) {
  Lru lru;
  for (const InodeId id : {1, 2, 3}) lru.touch(id);
  lru.remove(2);
  EXPECT_EQ(lru.oldest(10), (Ids{1, 3}));
  EXPECT_FALSE(lru.contains(2));
  EXPECT_TRUE(lru.contains(3));
  lru.touch(2);
  EXPECT_EQ(lru.oldest(10), (Ids{1, 3, 2}));
}

TEST(Lru, RemovingTheUnknownIsNoError) {
  Lru lru;
  lru.remove(7);
  EXPECT_EQ(lru.size(), 0u);
}

}  // namespace
}  // namespace forebay::evictor
