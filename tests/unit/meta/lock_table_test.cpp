#include "meta/lock_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace forebay::meta {
namespace {

using std::chrono::milliseconds;
constexpr std::chrono::seconds kLongAwait{60};
constexpr uint64_t kHere = 1, kThere = 2;  // sessions
constexpr InodeId kFile = 7, kOtherFile = 8;
constexpr int kGranted = 0, kWaits = -1;

LockRequest record(uint64_t owner, bool exclusive, uint64_t begin = 0, uint64_t end = kLockToTheEnd,
                   uint64_t session = kHere) {
  LockRequest request;
  request.id = kFile;
  request.owner = {session, owner};
  request.begin = begin;
  request.end = end;
  request.exclusive = exclusive;
  request.pid = static_cast<pid_t>(owner * 100);
  return request;
}
LockRequest shared(uint64_t owner, uint64_t begin = 0, uint64_t end = kLockToTheEnd) {
  return record(owner, false, begin, end);
}
LockRequest exclusive(uint64_t owner, uint64_t begin = 0, uint64_t end = kLockToTheEnd) {
  return record(owner, true, begin, end);
}
LockRequest flock_of(uint64_t owner, bool is_exclusive) {
  LockRequest request = record(owner, is_exclusive);
  request.space = LockSpace::kFlock;
  return request;
}
LockRequest of_file(InodeId id, LockRequest request) {
  request.id = id;
  return request;
}
LockRequest of_session(uint64_t session, LockRequest request) {
  request.owner.session = session;
  return request;
}

class LockTableTest : public testing::Test {
 protected:
  // 0, kWaits, or errno.
  static int outcome(const Result<bool>& result) {
    if (!result) return result.error().code;
    return *result ? kGranted : kWaits;
  }
  int attempt(const LockRequest& request) { return outcome(table_->lock(request, false)); }
  int wait(const LockRequest& request) { return outcome(table_->lock(request, true)); }
  void unlock(const LockRequest& request) { EXPECT_TRUE(table_->unlock(request)); }
  // What is known of a wait by now.
  int now(const LockRequest& request) {
    const LockNews news = table_->await(std::vector{request}, 0, milliseconds(0));
    return news.answers.empty() ? kWaits : news.answers.front().code;
  }
  // What became of it, as a client learns it.
  int await(const LockRequest& request) {
    for (uint64_t ended = 0;;) {
      const LockNews news = table_->await(std::vector{request}, ended, kLongAwait);
      if (!news.answers.empty()) return news.answers.front().code;
      ended = news.ended;
    }
  }
  uint64_t ended(const LockRequest& request) { return table_->await(std::vector{request}, 0, milliseconds(0)).ended; }
  std::string held(InodeId id = kFile, LockSpace space = LockSpace::kRecord) {
    std::string text;
    for (const LockRanges::Range& range : table_->locks_of(id, space)) {
      text += fmt::format("{}{}{}-{}", text.empty() ? "" : " ", range.exclusive ? 'x' : 's', range.owner.number,
                          range.begin);
      text += range.end == kLockToTheEnd ? ".." : fmt::format("..{}", range.end);
    }
    return text;
  }
  void limit(const LockLimits& limits) { table_ = std::make_unique<LockTable>(limits); }

  std::unique_ptr<LockTable> table_ = std::make_unique<LockTable>();
};

TEST_F(LockTableTest, ExclusiveLocksExcludeAndSharedOnesDoNot) {
  EXPECT_EQ(attempt(shared(1, 0, 10)), kGranted);
  EXPECT_EQ(attempt(shared(2, 5, 15)), kGranted);
  EXPECT_EQ(attempt(exclusive(3, 14, 20)), EAGAIN);
  EXPECT_EQ(attempt(exclusive(3, 15, 20)), kGranted);
  EXPECT_EQ(attempt(shared(1, 10, 16)), EAGAIN);
  EXPECT_EQ(held(), "s1-0..10 s2-5..15 x3-15..20");
}

TEST_F(LockTableTest, ALockIsSetOnceHoweverOftenItIsAskedFor) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(attempt(exclusive(1, 0, 10)), kGranted);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(exclusive(1, 2, 5)), kGranted);
  EXPECT_EQ(held(), "x1-0..10");
  for (int i = 0; i < 2; ++i) unlock(exclusive(1, 0, 10));
  EXPECT_EQ(table_->locks(), 0u);
}

TEST_F(LockTableTest, RangesAreSplitAndMerged) {
  EXPECT_EQ(attempt(exclusive(1, 0, 100)), kGranted);
  unlock(exclusive(1, 40, 60));
  EXPECT_EQ(held(), "x1-0..40 x1-60..100");
  EXPECT_EQ(attempt(shared(1, 30, 70)), kGranted) << "a part becomes of the other kind";
  EXPECT_EQ(held(), "x1-0..30 s1-30..70 x1-70..100");
  EXPECT_EQ(attempt(exclusive(1, 50, 55)), kGranted);
  EXPECT_EQ(held(), "x1-0..30 s1-30..50 x1-50..55 s1-55..70 x1-70..100");
  EXPECT_EQ(attempt(exclusive(1, 30, 70)), kGranted);
  EXPECT_EQ(held(), "x1-0..100");
  EXPECT_EQ(attempt(exclusive(1, 100)), kGranted) << "touching ones become one";
  EXPECT_EQ(held(), "x1-0..");
  unlock(exclusive(1, 10, 20));
  unlock(exclusive(2));
  EXPECT_EQ(held(), "x1-0..10 x1-20..");
}

TEST_F(LockTableTest, SpacesAndFilesKnowNothingOfEachOther) {
  EXPECT_EQ(attempt(exclusive(1)), kGranted);
  EXPECT_EQ(attempt(flock_of(2, true)), kGranted);
  EXPECT_EQ(attempt(of_file(kOtherFile, exclusive(3))), kGranted);
  EXPECT_EQ(attempt(of_session(kThere, exclusive(1))), EAGAIN) << "the same number, but another client";
}

TEST_F(LockTableTest, TheFirstLockInTheWayIsTold) {
  EXPECT_EQ(attempt(shared(1, 10, 20)), kGranted);
  EXPECT_EQ(attempt(exclusive(2, 20, 30)), kGranted);
  EXPECT_FALSE(table_->test(shared(3, 0, 20)));
  EXPECT_FALSE(table_->test(exclusive(2, 20)));
  const auto first = table_->test(exclusive(3));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->begin, 10u);
  EXPECT_EQ(first->end, 20u);
  EXPECT_FALSE(first->exclusive);
  EXPECT_EQ(first->pid, 100);
  const auto second = table_->test(shared(3));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->pid, 200);
}

TEST_F(LockTableTest, WhoWaitsGetsTheLockWhenItIsFree) {
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  ASSERT_EQ(wait(exclusive(2)), kWaits);
  ASSERT_EQ(wait(exclusive(2)), kWaits) << "asked for again, it is one wait";
  EXPECT_EQ(table_->waits(), 1u);
  EXPECT_EQ(now(exclusive(2)), kWaits);
  unlock(exclusive(1));
  EXPECT_EQ(now(exclusive(2)), kGranted);
  EXPECT_EQ(now(exclusive(2)), kGranted) << "and is told so as often as it asks";
  EXPECT_EQ(held(), "x2-0..");
}

TEST_F(LockTableTest, ADowngradeLetsOthersIn) {
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  ASSERT_EQ(wait(shared(2)), kWaits);
  EXPECT_EQ(attempt(shared(1)), kGranted);
  EXPECT_EQ(now(shared(2)), kGranted);
}

TEST_F(LockTableTest, AWaitEndsByAnEvent) {
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  const LockRequest other = of_session(kThere, exclusive(2));
  ASSERT_EQ(wait(other), kWaits);
  auto told = std::async(std::launch::async, [&] { return await(other); });
  unlock(exclusive(1));
  EXPECT_EQ(told.get(), kGranted);
}

TEST_F(LockTableTest, WhoAsksIsToldOfAWaitThatEndedBeforeItWasNamed) {
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  ASSERT_EQ(attempt(of_file(kOtherFile, exclusive(1))), kGranted);
  const LockRequest named = of_session(kThere, exclusive(2));
  const LockRequest unnamed = of_file(kOtherFile, named);
  ASSERT_EQ(wait(named), kWaits);
  ASSERT_EQ(wait(unnamed), kWaits);
  const uint64_t before = ended(named);
  unlock(of_file(kOtherFile, exclusive(1)));
  const LockNews news = table_->await(std::vector{named}, before, kLongAwait);  // returns at once
  EXPECT_TRUE(news.answers.empty());
  EXPECT_NE(news.ended, before);
  EXPECT_EQ(now(unnamed), kGranted);
}

// What a session that held nothing was told last is not true of it by chance when it is there again.
TEST_F(LockTableTest, WhatWasToldOfWaitsThatEndedIsNeverTrueAgain) {
  const LockRequest named = of_session(kThere, exclusive(2)), unnamed = of_file(kOtherFile, named);
  uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(attempt(exclusive(1)), kGranted);
    ASSERT_EQ(attempt(of_file(kOtherFile, exclusive(1))), kGranted);
    ASSERT_EQ(wait(named), kWaits);
    ASSERT_EQ(wait(unnamed), kWaits);
    unlock(of_file(kOtherFile, exclusive(1)));
    const LockNews news = table_->await(std::vector{named}, last, kLongAwait);  // returns at once
    EXPECT_GT(news.ended, last);
    last = news.ended;
    unlock(exclusive(1));
    unlock(named);
    unlock(unnamed);
  }
}

TEST_F(LockTableTest, AWaitThatIsNotKnownHasToBeAskedForAgain) {
  EXPECT_EQ(now(exclusive(2)), EAGAIN);
  EXPECT_EQ(table_->locks(), 0u) << "asking after a wait sets nothing";
  EXPECT_EQ(table_->waits(), 0u);
}

TEST_F(LockTableTest, NoMoreClientsAreLetWaitThanThereShallBeThreadsForThem) {
  limit({.awaiting = 0});
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  ASSERT_EQ(wait(exclusive(2)), kWaits);
  const uint64_t before = ended(exclusive(2));
  EXPECT_TRUE(table_->await(std::vector{exclusive(2)}, before, kLongAwait).answers.empty());
  unlock(exclusive(1));
  EXPECT_EQ(now(exclusive(2)), kGranted) << "but all are told";
}

TEST_F(LockTableTest, AWaitIsTakenBack) {
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  ASSERT_EQ(wait(exclusive(2)), kWaits);
  EXPECT_FALSE(table_->cancel(exclusive(2)));
  EXPECT_FALSE(table_->cancel(exclusive(2)));
  unlock(exclusive(1));
  EXPECT_EQ(table_->locks(), 0u);
  ASSERT_EQ(attempt(exclusive(2)), kGranted);
  EXPECT_TRUE(table_->cancel(exclusive(2))) << "too late";
  EXPECT_EQ(held(), "x2-0..");
}

TEST_F(LockTableTest, WhoWaitsInVainLetsThoseBehindGo) {
  ASSERT_EQ(attempt(shared(1)), kGranted);
  ASSERT_EQ(wait(exclusive(2)), kWaits);
  ASSERT_EQ(wait(shared(3)), kWaits);
  table_->cancel(exclusive(2));
  EXPECT_EQ(now(shared(3)), kGranted);
}

TEST_F(LockTableTest, WaitsAreServedInTurn) {
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  for (uint64_t owner = 2; owner < 6; ++owner) ASSERT_EQ(wait(exclusive(owner)), kWaits);
  for (uint64_t owner = 1; owner < 5; ++owner) {
    unlock(exclusive(owner));
    for (uint64_t other = owner + 1; other < 6; ++other) {
      EXPECT_EQ(now(exclusive(other)), other == owner + 1 ? kGranted : kWaits) << owner << " " << other;
    }
  }
}

TEST_F(LockTableTest, AWriterIsNotOvertakenByReadersThatCameLater) {
  ASSERT_EQ(attempt(shared(1)), kGranted);
  ASSERT_EQ(wait(exclusive(2)), kWaits);
  EXPECT_EQ(wait(shared(3)), kWaits);
  EXPECT_EQ(wait(shared(1, 5, 10)), kGranted) << "but nobody stands behind one who waits for him";
  unlock(shared(1));
  EXPECT_EQ(now(exclusive(2)), kGranted);
  EXPECT_EQ(now(shared(3)), kWaits);
  unlock(exclusive(2));
  EXPECT_EQ(now(shared(3)), kGranted);
}

TEST_F(LockTableTest, WhoWouldNotWaitTakesWhatIsFree) {
  ASSERT_EQ(attempt(shared(1)), kGranted);
  ASSERT_EQ(wait(exclusive(2)), kWaits);
  EXPECT_EQ(attempt(shared(3)), kGranted);
}

TEST_F(LockTableTest, PatienceWithThoseBeforeHasAnEnd) {
  limit({.patience = milliseconds(0)});
  ASSERT_EQ(attempt(shared(1)), kGranted);
  ASSERT_EQ(wait(exclusive(2)), kWaits);
  EXPECT_EQ(wait(shared(3)), kGranted);
}

TEST_F(LockTableTest, AWaitThatNobodyAsksAfterLosesItsPlace) {
  limit({.grace = milliseconds(0)});
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  ASSERT_EQ(wait(exclusive(2)), kWaits);
  unlock(exclusive(1));
  EXPECT_EQ(table_->locks(), 0u);
  EXPECT_EQ(table_->waits(), 0u);
}

TEST_F(LockTableTest, TwoThatWaitForEachOtherAreADeadlock) {
  ASSERT_EQ(attempt(exclusive(1, 0, 10)), kGranted);
  ASSERT_EQ(attempt(of_session(kThere, exclusive(1, 10, 20))), kGranted);
  ASSERT_EQ(wait(exclusive(1, 10, 20)), kWaits);
  EXPECT_EQ(wait(of_session(kThere, exclusive(1, 0, 10))), EDEADLK);
  EXPECT_EQ(table_->waits(), 1u);
  unlock(of_session(kThere, exclusive(1)));
  EXPECT_EQ(now(exclusive(1, 10, 20)), kGranted);
}

TEST_F(LockTableTest, AChainOfWaitsOverSeveralFilesIsADeadlockToo) {
  constexpr uint64_t kChain = 50;
  for (uint64_t owner = 0; owner < kChain; ++owner) ASSERT_EQ(attempt(of_file(owner, exclusive(owner))), kGranted);
  for (uint64_t owner = 0; owner + 1 < kChain; ++owner) {
    ASSERT_EQ(wait(of_file(owner + 1, exclusive(owner))), kWaits);
  }
  EXPECT_EQ(wait(of_file(0, exclusive(kChain - 1))), EDEADLK);
  table_->cancel(of_file(kChain / 2, exclusive(kChain / 2 - 1)));
  EXPECT_EQ(wait(of_file(0, exclusive(kChain - 1))), kWaits) << "the chain is broken";
}

TEST_F(LockTableTest, TwoReadersThatWantToWriteAreADeadlock) {
  ASSERT_EQ(attempt(shared(1)), kGranted);
  ASSERT_EQ(attempt(shared(2)), kGranted);
  ASSERT_EQ(wait(exclusive(1)), kWaits);
  EXPECT_EQ(wait(exclusive(2)), EDEADLK);
  EXPECT_EQ(held(), "s1-0.. s2-0..") << "and keep what they have";
  unlock(shared(2));
  EXPECT_EQ(now(exclusive(1)), kGranted);
}

// The thread of an owner may wait while another one gets what closes the cycle.
TEST_F(LockTableTest, ACycleThatIsClosedWithoutAWaitIsFound) {
  ASSERT_EQ(attempt(shared(1, 0, 10)), kGranted);
  ASSERT_EQ(attempt(exclusive(2, 10, 20)), kGranted);
  ASSERT_EQ(wait(exclusive(2, 0, 10)), kWaits);  // for 1
  ASSERT_EQ(attempt(shared(3, 0, 10)), kGranted);
  unlock(shared(1, 0, 10));
  ASSERT_EQ(wait(exclusive(1, 10, 20)), kWaits);   // for 2, who waits for 3
  ASSERT_EQ(attempt(shared(1, 0, 10)), kGranted);  // and now for 1
  EXPECT_EQ(now(exclusive(1, 10, 20)), EDEADLK);
  EXPECT_EQ(now(exclusive(2, 0, 10)), kWaits);
}

TEST_F(LockTableTest, StandingInLineIsNoDeadlock) {
  ASSERT_EQ(attempt(shared(1, 0, 10)), kGranted);
  ASSERT_EQ(attempt(exclusive(3, 20, 30)), kGranted);
  ASSERT_EQ(wait(exclusive(2, 0, 10)), kWaits);   // for 1
  ASSERT_EQ(wait(shared(3, 0, 10)), kWaits);      // stands behind 2
  EXPECT_EQ(wait(exclusive(1, 20, 30)), kWaits);  // for 3, who could have its lock
}

TEST_F(LockTableTest, FlockFindsNoDeadlocksAndGivesUpWhatItHadFirst) {
  ASSERT_EQ(attempt(flock_of(1, false)), kGranted);
  ASSERT_EQ(attempt(flock_of(2, false)), kGranted);
  EXPECT_EQ(attempt(flock_of(1, true)), EAGAIN);
  EXPECT_EQ(held(kFile, LockSpace::kFlock), "s2-0..");
  EXPECT_EQ(attempt(flock_of(1, false)), kGranted);
  EXPECT_EQ(wait(flock_of(1, true)), kWaits);
  EXPECT_EQ(wait(flock_of(2, true)), kWaits) << "the first one has it now";
  EXPECT_EQ(held(kFile, LockSpace::kFlock), "x1-0..");
  unlock(flock_of(1, true));
  EXPECT_EQ(now(flock_of(2, true)), kGranted);
}

TEST_F(LockTableTest, AnEndedSessionHasNothing) {
  ASSERT_EQ(attempt(shared(1, 0, 10)), kGranted);
  ASSERT_EQ(attempt(flock_of(1, true)), kGranted);
  ASSERT_EQ(attempt(of_session(kThere, shared(1, 0, 10))), kGranted);
  ASSERT_EQ(attempt(of_file(kOtherFile, of_session(kThere, exclusive(9)))), kGranted);
  ASSERT_EQ(wait(of_file(kOtherFile, exclusive(2))), kWaits);
  ASSERT_EQ(wait(of_session(kThere, exclusive(3, 0, 10))), kWaits);
  EXPECT_EQ(table_->end_session(kHere), 3u);
  EXPECT_EQ(held(), "s1-0..10");
  EXPECT_EQ(table_->waits(), 1u);
  EXPECT_EQ(table_->end_session(kHere), 0u);
  EXPECT_EQ(table_->end_session(kThere), 3u);
  EXPECT_EQ(table_->locks() + table_->waits(), 0u);
}

TEST_F(LockTableTest, WhatAClientLeavesOthersGet) {
  ASSERT_EQ(attempt(exclusive(1)), kGranted);
  const LockRequest other = of_session(kThere, exclusive(2));
  ASSERT_EQ(wait(other), kWaits);
  auto told = std::async(std::launch::async, [&] { return await(other); });
  table_->end_session(kHere);
  EXPECT_EQ(told.get(), kGranted);
  EXPECT_EQ(held(), "x2-0..");
}

TEST_F(LockTableTest, ThereAreBounds) {
  limit({.locks_of_file = 4, .locks_of_session = 6, .waits_of_session = 1});
  for (uint64_t i = 0; i < 4; ++i) ASSERT_EQ(attempt(exclusive(1, i * 10, i * 10 + 5)), kGranted);
  EXPECT_EQ(attempt(exclusive(1, 100, 105)), ENOLCK);
  EXPECT_EQ(attempt(exclusive(1, 0, 8)), kGranted) << "no more than before";
  const Status split = table_->unlock(exclusive(1, 2, 3));
  ASSERT_FALSE(split);
  EXPECT_EQ(split.error().code, ENOLCK);
  EXPECT_EQ(held(), "x1-0..8 x1-10..15 x1-20..25 x1-30..35");
  for (uint64_t i = 0; i < 2; ++i) ASSERT_EQ(attempt(of_file(kOtherFile, exclusive(1, i * 10, i * 10 + 5))), kGranted);
  EXPECT_EQ(attempt(of_file(kOtherFile, exclusive(1, 100, 105))), ENOLCK) << "of all files";
  EXPECT_EQ(attempt(of_session(kThere, of_file(kOtherFile, exclusive(1, 100, 105)))), kGranted);
  EXPECT_EQ(wait(exclusive(2)), kWaits);
  EXPECT_EQ(wait(exclusive(3)), ENOLCK);
}

TEST_F(LockTableTest, WhatMakesNoSenseIsRefused) {
  EXPECT_EQ(attempt(exclusive(1, 5, 5)), EINVAL);
  EXPECT_EQ(attempt(exclusive(1, 6, 5)), EINVAL);
  EXPECT_EQ(attempt(exclusive(1, 0, kLockToTheEnd + 1)), EINVAL);
  LockRequest odd = exclusive(1);
  odd.space = LockSpace{9};
  EXPECT_EQ(attempt(odd), EINVAL);
  EXPECT_EQ(table_->locks(), 0u);
}

TEST_F(LockTableTest, ManyClientsThatCountUnderALockLoseNothing) {
  constexpr int kRounds = 300;
  constexpr uint64_t kClients = 8;
  int counter = 0;  // plain: the lock is all that guards it
  std::vector<std::thread> clients;
  for (uint64_t i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      const LockRequest mine = of_session(i + 1, exclusive(1));
      uint64_t ended = 0;
      for (int round = 0; round < kRounds; ++round) {
        for (int state = wait(mine); state != kGranted;) {
          ASSERT_EQ(state, kWaits);
          const LockNews news = table_->await(std::vector{mine}, ended, kLongAwait);
          ended = news.ended;
          if (!news.answers.empty()) state = news.answers.front().code;
        }
        ++counter;
        unlock(mine);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(counter, static_cast<int>(kClients) * kRounds);
  EXPECT_EQ(table_->locks() + table_->waits(), 0u);
}

}  // namespace
}  // namespace forebay::meta
