#include "cachefs/lock_book.h"

#include <gtest/gtest.h>

#include <thread>

namespace forebay::cachefs {
namespace {

class LockBookTest : public testing::Test {
 protected:
  static constexpr InodeId kInode = 5, kOtherInode = 6;
  static constexpr uint64_t kProcess = 100, kOtherProcess = 101, kDescription = 200;  // owners
  static constexpr uint64_t kHandle = 1, kOtherHandle = 2;

  static LockRequest lock_of(uint64_t owner, LockSpace space = LockSpace::kRecord, InodeId id = kInode) {
    LockRequest lock;
    lock.id = id;
    lock.owner.number = owner;
    lock.space = space;
    return lock;
  }
  LockBook book_;
};

TEST_F(LockBookTest, ACloseEndsTheRecordLocksOfItsProcessThroughAllHandles) {
  book_.note(lock_of(kProcess), kHandle);
  book_.note(lock_of(kProcess, LockSpace::kRecord, kOtherInode), kHandle);
  EXPECT_FALSE(book_.closed(kInode, kOtherProcess, kHandle));
  EXPECT_TRUE(book_.closed(kInode, kProcess, kOtherHandle));
  EXPECT_FALSE(book_.closed(kInode, kProcess, kHandle)) << "they are gone";
  EXPECT_TRUE(book_.released(kInode, kHandle).empty());
  EXPECT_TRUE(book_.closed(kOtherInode, kProcess, kHandle));
}

TEST_F(LockBookTest, TheLastCloseEndsWhatIsTheDescriptionsOwn) {
  book_.note(lock_of(kDescription), kHandle);
  book_.note(lock_of(kDescription, LockSpace::kFlock), kHandle);
  book_.note(lock_of(kDescription + 1, LockSpace::kFlock), kOtherHandle);
  EXPECT_FALSE(book_.closed(kInode, kProcess, kHandle));
  const std::vector<LockRequest> locks = book_.released(kInode, kHandle);
  ASSERT_EQ(locks.size(), 2u);
  for (const LockRequest& lock : locks) EXPECT_EQ(lock.owner.number, kDescription);
  EXPECT_NE(locks[0].space, locks[1].space);
  book_.ended(locks);
  EXPECT_TRUE(book_.released(kInode, kHandle).empty());
  EXPECT_EQ(book_.released(kInode, kOtherHandle).size(), 1u);
}

TEST_F(LockBookTest, WhoFindsALockTakenWaitsForAnEndThatIsUnderWay) {
  book_.note(lock_of(kDescription, LockSpace::kFlock), kHandle);
  const uint64_t before = book_.ends();
  EXPECT_FALSE(book_.await_ends(kInode, before)) << "nothing was closed";
  book_.closed(kInode, kProcess, kHandle);
  std::thread ending([this] { book_.ended(book_.released(kInode, kHandle)); });
  EXPECT_TRUE(book_.await_ends(kInode, before));
  ending.join();
  EXPECT_TRUE(book_.await_ends(kInode, before)) << "it ended meanwhile";
}

TEST_F(LockBookTest, ButNotForLongIfTheDescriptionLivesOn) {
  book_.note(lock_of(kDescription, LockSpace::kFlock), kHandle);
  book_.closed(kInode, kProcess, kHandle);
  EXPECT_FALSE(book_.await_ends(kInode, book_.ends()));
}

}  // namespace
}  // namespace forebay::cachefs
