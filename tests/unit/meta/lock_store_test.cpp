#include "meta/lock_store.h"

#include <gtest/gtest.h>

#include <random>

#include "meta/lock_table.h"
#include "tests/support/files.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace forebay::meta {
namespace {

constexpr uint64_t kOneSession = 1, kOtherSession = uint64_t{0xfedc} << 48;  // sessions: any number of 64 bits
constexpr InodeId kLockedFile = 7;

LockRequest lock_of(uint64_t session, uint64_t owner, uint64_t begin = 0, uint64_t end = kLockToTheEnd,
                    bool exclusive = true) {
  LockRequest request;
  request.id = kLockedFile;
  request.owner = {session, owner};
  request.begin = begin;
  request.end = end;
  request.exclusive = exclusive;
  request.pid = 4321;
  return request;
}

class LockStoreTest : public testing::Test {
 protected:
  LockStoreTest() { restart(); }

  // As a metadata server that is started again. Returns the sessions that have locks.
  std::set<uint64_t> restart() {
    table_.reset();
    auto store = LockStore::open(file_);
    EXPECT_TRUE(store) << store.error().message();
    table_ = std::make_unique<LockTable>();
    return table_->keep_in(*std::move(store));
  }
  std::vector<std::string> held(InodeId id, LockSpace space) {
    std::vector<std::string> lines;
    for (const LockRanges::Range& range : table_->locks_of(id, space)) {
      lines.push_back(fmt::format("{:x} {:x} {}-{} {} {}", range.owner.session, range.owner.number, range.begin,
                                  range.end, range.exclusive, range.pid));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  std::vector<std::string> held() {
    std::vector<std::string> all;
    for (const InodeId id : {kLockedFile, kLockedFile + 1}) {
      for (const LockSpace space : {LockSpace::kRecord, LockSpace::kFlock}) {
        const std::vector<std::string> more = held(id, space);
        all.insert(all.end(), more.begin(), more.end());
        all.emplace_back("--");
      }
    }
    return all;
  }

  test::TempDir dir_;
  const std::string file_ = dir_ / "locks.db";
  std::unique_ptr<LockTable> table_;
};

TEST_F(LockStoreTest, LocksOutliveARestart) {
  ASSERT_TRUE(table_->lock(lock_of(kOneSession, ~uint64_t{0}), false));
  ASSERT_TRUE(table_->lock(lock_of(kOtherSession, 2), true)) << "waits";
  LockRequest other = lock_of(kOtherSession, 3, 10, 20, false);
  other.space = LockSpace::kFlock;
  ASSERT_TRUE(table_->lock(other, false));
  EXPECT_EQ(restart(), (std::set<uint64_t>{kOneSession, kOtherSession}));
  EXPECT_EQ(table_->locks(), 2u);
  EXPECT_EQ(table_->waits(), 0u) << "who waits asks again";
  EXPECT_EQ(table_->lock(lock_of(kOtherSession, 2), false).error().code, EAGAIN);
  EXPECT_EQ(table_->test(lock_of(kOtherSession, 2))->pid, 4321);
  ASSERT_TRUE(table_->unlock(lock_of(kOneSession, ~uint64_t{0})));
  EXPECT_EQ(restart(), std::set<uint64_t>{kOtherSession});
  EXPECT_TRUE(table_->lock(lock_of(kOtherSession, 2), false));
}

TEST_F(LockStoreTest, ALockThatCameToAWaiterOutlivesARestart) {
  ASSERT_TRUE(table_->lock(lock_of(kOneSession, 1), false));
  ASSERT_TRUE(table_->lock(lock_of(kOtherSession, 2), true));
  ASSERT_TRUE(table_->unlock(lock_of(kOneSession, 1)));
  restart();
  const LockNews news = table_->await(std::vector{lock_of(kOtherSession, 2)}, 0, std::chrono::milliseconds(0));
  ASSERT_EQ(news.answers.size(), 1u) << "it is told";
  EXPECT_EQ(news.answers.front().code, 0);
}

TEST_F(LockStoreTest, NothingOfASessionThatEndedComesBack) {
  for (const uint64_t session : {kOneSession, kOtherSession}) {
    ASSERT_TRUE(table_->lock(lock_of(session, 1, 0, 10, false), false));
    ASSERT_TRUE(table_->lock(lock_of(session, 2, 20, 30, false), false));
  }
  EXPECT_EQ(table_->end_session(kOtherSession), 2u);
  EXPECT_EQ(restart(), std::set<uint64_t>{kOneSession});
  EXPECT_EQ(table_->end_session(kOneSession), 2u);
  EXPECT_EQ(restart(), std::set<uint64_t>{});
}

TEST_F(LockStoreTest, WhateverIsSetAndClearedIsTheSameAfterARestart) {
  std::mt19937_64 random(test::test_seed());
  const auto below = [&](uint64_t most) { return random() % most; };
  for (int step = 0; step < 3000; ++step) {
    const uint64_t begin = below(40), end = below(5) == 0 ? kLockToTheEnd : begin + 1 + below(12);
    LockRequest request = lock_of(below(2) == 0 ? kOneSession : kOtherSession, below(3), begin, end, below(2) == 0);
    request.id = kLockedFile + below(2);
    request.space = below(3) == 0 ? LockSpace::kFlock : LockSpace::kRecord;
    if (below(200) == 0) {
      table_->end_session(request.owner.session);
    } else if (below(3) == 0) {
      ASSERT_TRUE(table_->unlock(request));
    } else {
      (void)table_->lock(request, false);
    }
    if (below(10) != 0) continue;
    const std::vector<std::string> before = held();
    restart();
    ASSERT_EQ(held(), before) << "step " << step;
  }
}

TEST_F(LockStoreTest, ADamagedFileIsMadeAnew) {
  ASSERT_TRUE(table_->lock(lock_of(kOneSession, 1), false));
  table_.reset();
  test::write_file(file_, std::string(20'000, 'x'));
  EXPECT_EQ(restart(), std::set<uint64_t>{});
  ASSERT_TRUE(table_->lock(lock_of(kOneSession, 1), false));
  EXPECT_EQ(restart(), std::set<uint64_t>{kOneSession});
}

TEST_F(LockStoreTest, AFileThatCannotBeMadeIsAnError) {
  const auto store = LockStore::open(dir_ / "no/such/locks.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, EIO);
  EXPECT_NE(store.error().context.find("no/such/locks.db"), std::string::npos) << store.error().context;
}

}  // namespace
}  // namespace forebay::meta
