#include "evictor/flush_scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>

namespace forebay::evictor {
namespace {

using namespace std::chrono_literals;
using Clock = FlushScheduler::Clock;
using Ids = std::vector<InodeId>;

constexpr auto kLong = 60s;

class FlushSchedulerTest : public testing::Test {
 protected:
  void TearDown() override {
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
    }
    changed_.notify_all();
    scheduler_.stop();
  }
  // What a metadata server does: a file that was flushed is clean and leaves the scheduler.
  Status flush(InodeId id) {
    const Status flushed = flush_held(id);
    if (flushed && dirty_again_) scheduler_.add(id, FlushScheduler::kNever);
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
    return flushed;
  }
  Status flush_held(InodeId id) {
    std::unique_lock lock(mutex_);
    started_.push_back(id);
    most_at_once_ = std::max(most_at_once_, ++running_[id]);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
    const int error = error_;
    lock.unlock();
    if (error == 0 && !stays_dirty_) scheduler_.remove(id);
    lock.lock();
    --running_[id];
    if (error != 0) return fail(error, "outside");
    return {};
  }
  void await_started(size_t count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kLong, [&] { return started_.size() >= count; }));
  }
  void await_ended(size_t count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kLong, [&] { return ended_ >= count; }));
  }
  Ids started() {
    const std::lock_guard lock(mutex_);
    return started_;
  }
  void hold(bool held) {
    {
      const std::lock_guard lock(mutex_);
      held_ = held;
    }
    changed_.notify_all();
  }
  void fail_with(int error) {
    const std::lock_guard lock(mutex_);
    error_ = error;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Ids started_;
  size_t ended_ = 0;
  std::map<InodeId, int> running_;
  int most_at_once_ = 0;
  bool held_ = false;
  int error_ = 0;
  std::atomic<bool> dirty_again_ = false;  // each file, as soon as it was flushed
  std::atomic<bool> stays_dirty_ = false;  // each file: it is written while it is flushed
  FlushScheduler scheduler_{[this](InodeId id) { return flush(id); }};
};

TEST_F(FlushSchedulerTest, FilesAreFlushedInTheOrderInWhichTheyAreDue) {
  const auto now = Clock::now();
  scheduler_.add(1, now - 1s);
  scheduler_.add(2, now - 3s);
  scheduler_.add(3, now - 2s);
  scheduler_.start(1);
  EXPECT_TRUE(scheduler_.wait({1, 2, 3}, kLong).remaining.empty());
  EXPECT_EQ(started(), (Ids{2, 3, 1}));
  EXPECT_EQ(scheduler_.count(), 0u);
}

TEST_F(FlushSchedulerTest, WhatIsNotDueWaits) {
  scheduler_.start(1);
  scheduler_.add(1, Clock::now() + 1h);
  scheduler_.add(2, FlushScheduler::kNever);
  scheduler_.add(3, Clock::now());
  EXPECT_TRUE(scheduler_.wait({3}, kLong).remaining.empty());
  EXPECT_EQ(started(), Ids{3});
  EXPECT_EQ(scheduler_.count(), 2u);
  EXPECT_EQ(scheduler_.wait({1, 2, 3}, 0ms).remaining, (Ids{1, 2}));
}

// Its next flush may be an hour away.
TEST_F(FlushSchedulerTest, WhatBecomesDirtyAgainIsNotWaitedFor) {
  dirty_again_ = true;
  hold(true);
  scheduler_.start(1);
  scheduler_.add(1, FlushScheduler::kNever);
  scheduler_.expedite({1});
  await_started(1);
  const auto released = std::async(std::launch::async, [&] { hold(false); });
  EXPECT_TRUE(scheduler_.wait_unanswered({1}, kLong).remaining.empty());
  await_ended(1);  // its file is removed from the scheduler and added again one after the other
  EXPECT_EQ(scheduler_.count(), 1u);
}

// The next flush of a file that is written on and on begins before anybody has seen the end of the first.
TEST_F(FlushSchedulerTest, AnAnswerHoldsWhileTheFileIsFlushedAgain) {
  stays_dirty_ = true;
  hold(true);
  scheduler_.start(1);
  scheduler_.add(1, FlushScheduler::kNever);
  scheduler_.expedite({1});
  await_started(1);
  EXPECT_EQ(scheduler_.wait({1}, 0ms).remaining, Ids{1});
  hold(false);
  await_started(3);  // the first has ended for sure
  EXPECT_TRUE(scheduler_.wait({1}, 0ms).remaining.empty());
  stays_dirty_ = false;
}

TEST_F(FlushSchedulerTest, WhatComesDueIsFlushedByItself) {
  scheduler_.start(1);
  const auto due = Clock::now() + 20ms;
  scheduler_.add(1, due);
  EXPECT_TRUE(scheduler_.wait({1}, kLong).remaining.empty());
  EXPECT_GE(Clock::now(), due);
}

TEST_F(FlushSchedulerTest, AnEarlierTimeCountsAndALaterOneDoesNot) {
  scheduler_.start(1);
  scheduler_.add(1, Clock::now() + 1h);
  scheduler_.add(1, Clock::now());
  EXPECT_TRUE(scheduler_.wait({1}, kLong).remaining.empty());
  scheduler_.add(2, Clock::now() + 20ms);
  scheduler_.add(2, Clock::now() + 1h);
  EXPECT_TRUE(scheduler_.wait({2}, kLong).remaining.empty()) << "writing again does not put the flush off";
}

TEST_F(FlushSchedulerTest, ExpeditedFilesAreDueNow) {
  scheduler_.start(1);
  scheduler_.add(1, FlushScheduler::kNever);
  scheduler_.add(2, FlushScheduler::kNever);
  scheduler_.expedite({1, 77});
  EXPECT_TRUE(scheduler_.wait({1, 77}, kLong).remaining.empty());
  EXPECT_EQ(started(), Ids{1});
}

TEST_F(FlushSchedulerTest, OldestIsTheOneThatIsDirtyForTheLongest) {
  EXPECT_EQ(scheduler_.oldest(), 0u);
  scheduler_.add(5, Clock::now() + 2h);
  scheduler_.add(3, Clock::now() + 1h);
  scheduler_.add(5, Clock::now() + 1min);
  EXPECT_EQ(scheduler_.oldest(), 5u);
  scheduler_.remove(5);
  EXPECT_EQ(scheduler_.oldest(), 3u);
  EXPECT_EQ(scheduler_.files(), Ids{3});
}

TEST_F(FlushSchedulerTest, AFailureIsReportedAndTriedAgainAfterAPause) {
  fail_with(ENOSPC);
  scheduler_.start(1);
  const auto began = Clock::now();
  scheduler_.add(1, began);
  const FlushScheduler::Outcome failed = scheduler_.wait({1}, kLong);
  ASSERT_EQ(failed.failed.size(), 1u);
  EXPECT_EQ(failed.failed[0].first, 1u);
  EXPECT_EQ(failed.failed[0].second.code, ENOSPC);
  EXPECT_EQ(scheduler_.count(), 1u) << "it is still dirty";
  fail_with(0);
  await_started(2);
  EXPECT_GE(Clock::now() - began, 1s);
}

TEST_F(FlushSchedulerTest, WritingAgainDoesNotEndThePauseAfterAFailure) {
  fail_with(EIO);
  scheduler_.start(1);
  scheduler_.add(1, Clock::now());
  ASSERT_EQ(scheduler_.wait({1}, kLong).failed.size(), 1u);
  scheduler_.add(1, Clock::now());
  scheduler_.add(2, Clock::now());
  await_started(2);
  EXPECT_EQ(started(), (Ids{1, 2})) << "not 1 again";
}

TEST_F(FlushSchedulerTest, ExpeditingEndsThePauseAndForgetsTheFailure) {
  fail_with(EIO);
  scheduler_.start(1);
  scheduler_.add(1, Clock::now());
  ASSERT_EQ(scheduler_.wait({1}, kLong).failed.size(), 1u);
  fail_with(0);
  scheduler_.expedite({1});
  const FlushScheduler::Outcome outcome = scheduler_.wait({1}, kLong);
  EXPECT_TRUE(outcome.failed.empty());
  EXPECT_TRUE(outcome.remaining.empty());
}

TEST(FlushScheduler, AFlushThatLeavesTheFileDirtyIsFollowedByAnother) {
  std::mutex mutex;
  std::condition_variable changed;
  int flushes = 0;
  FlushScheduler* self = nullptr;
  FlushScheduler scheduler{[&](InodeId id) -> Status {
    const std::lock_guard lock(mutex);
    ++flushes;
    if (flushes == 1) self->add(id, Clock::now());  // written meanwhile
    if (flushes == 2) self->remove(id);
    changed.notify_all();
    return {};
  }};
  self = &scheduler;
  scheduler.add(1, Clock::now());
  scheduler.start(2);
  EXPECT_TRUE(scheduler.wait({1}, kLong).remaining.empty());
  scheduler.stop();
  EXPECT_EQ(flushes, 2);
}

// A command asks for what is dirty at that moment. With the policy "manual" nobody flushes what comes later.
TEST_F(FlushSchedulerTest, WhatIsWrittenAfterItWasExpeditedIsNotWaitedFor) {
  hold(true);
  scheduler_.start(1);
  scheduler_.add(1, FlushScheduler::kNever);
  scheduler_.expedite({1});
  await_started(1);
  EXPECT_EQ(scheduler_.unanswered({1}), Ids{1});
  hold(false);
  EXPECT_TRUE(scheduler_.wait({1}, kLong).remaining.empty());
  scheduler_.add(1, FlushScheduler::kNever);
  EXPECT_TRUE(scheduler_.unanswered({1}).empty());
}

TEST(FlushScheduler, WhatIsWrittenDuringTheExpeditedFlushIsNotWaitedFor) {
  FlushScheduler* self = nullptr;
  FlushScheduler scheduler{[&](InodeId id) -> Status {
    self->add(id, FlushScheduler::kNever);  // written meanwhile, and still dirty
    return {};
  }};
  self = &scheduler;
  scheduler.add(1, FlushScheduler::kNever);
  scheduler.expedite({1});
  scheduler.start(1);
  EXPECT_TRUE(scheduler.wait({1}, kLong).remaining.empty());
  EXPECT_TRUE(scheduler.unanswered({1}).empty());
  EXPECT_EQ(scheduler.count(), 1u);
}

TEST_F(FlushSchedulerTest, AFileThatIsRemovedWhileItIsFlushedIsForgotten) {
  hold(true);
  scheduler_.start(1);
  scheduler_.add(1, Clock::now());
  await_started(1);
  scheduler_.remove(1);
  EXPECT_EQ(scheduler_.count(), 0u);
  fail_with(EIO);  // whatever comes of it
  hold(false);
  scheduler_.stop();
  EXPECT_EQ(scheduler_.count(), 0u);
}

// The flush has called the file clean, and a writer comes before the flush returned.
TEST_F(FlushSchedulerTest, AFileIsFlushedByOneThreadAtATime) {
  scheduler_.start(2);
  hold(true);
  scheduler_.add(1, Clock::now());
  await_started(1);
  scheduler_.remove(1);
  scheduler_.add(1, Clock::now());
  {
    std::unique_lock lock(mutex_);
    // Nothing happens if all is well: so there is nothing to await but the time in which it would have.
    changed_.wait_for(lock, 200ms, [&] { return started_.size() >= 2; });
    EXPECT_EQ(started_.size(), 1u);
    EXPECT_EQ(most_at_once_, 1);
  }
}

TEST_F(FlushSchedulerTest, ManyFilesGoOutOnSeveralThreads) {
  hold(true);
  scheduler_.start(4);
  for (InodeId id = 1; id <= 100; ++id) scheduler_.add(id, Clock::now());
  await_started(4);
  hold(false);
  EXPECT_TRUE(scheduler_.wait(scheduler_.files(), kLong).remaining.empty());
  await_started(100);
  EXPECT_EQ(most_at_once_, 1);
}

TEST_F(FlushSchedulerTest, WaitingEndsWithItsTimeOrTheScheduler) {
  scheduler_.add(1, FlushScheduler::kNever);
  EXPECT_EQ(scheduler_.wait({1}, 1ms).remaining, Ids{1});
  std::thread waiter([&] { EXPECT_EQ(scheduler_.wait({1}, kLong).remaining, Ids{1}); });
  scheduler_.stop();
  waiter.join();
}

}  // namespace
}  // namespace forebay::evictor
