// Kill and remount at random points of the walk: nothing that was written is gone, nothing that was unlinked is back.
#include <gtest/gtest.h>

#include <future>
#include <random>
#include <thread>

#include "tests/support/walk.h"

namespace forebay::test {
namespace {

using std::chrono::milliseconds;

constexpr int kRounds = 6;
constexpr uint64_t kShare = 5;  // of FOREBAY_WALK_STEPS

class WalkKill : public MountTest {
 protected:
  // Lets the walk go on until the process is killed after a random while, or until it is done.
  Walk::End walk_until_killed(Walk& walk, milliseconds longest) {
    auto end = std::async(std::launch::async, [&] { return walk.run_tolerating_death(); });
    // Before its first step the walk cannot tell a death from a mistake of its caller.
    while (!walk.has_begun() && end.wait_for(milliseconds(1)) == std::future_status::timeout) continue;
    end.wait_for(milliseconds(random(1, longest.count())));
    cache_.kill_process();
    const Walk::End ended = end.get();
    cache_.detach();
    return ended;
  }

  void expect_survival(const Settings& settings, milliseconds longest = milliseconds(1200)) {
    Walk walk(cache_, walk_steps(kShare));
    random_.seed(walk.seed());
    cache_.mount({.settings = settings});
    Walk::End end = Walk::End::kDied;
    for (int round = 0; round < kRounds && end == Walk::End::kDied; ++round) {
      end = walk_until_killed(walk, longest);
      ASSERT_TRUE(end == Walk::End::kDied || end == Walk::End::kAgreed) << "round " << round << ": " << walk.output();
      cache_.mount({.settings = settings});
    }
    if (end == Walk::End::kDied) {
      ASSERT_EQ(walk.run_tolerating_death(), Walk::End::kAgreed) << walk.output();
    }
    EXPECT_TRUE(walk.mount_equals_model());
    cache_.unmount();
    EXPECT_TRUE(walk.external_equals_model());
  }

  int64_t random(int64_t least, int64_t most) { return std::uniform_int_distribution<int64_t>(least, most)(random_); }

  MountedCache cache_;
  std::mt19937_64 random_;
};

TEST_F(WalkKill, SurvivesWithWriteBack) { expect_survival({"flush.delay=1s"}); }

TEST_F(WalkKill, SurvivesWithoutPassthrough) { expect_survival({"flush.delay=100ms", "fuse.passthrough=off"}); }

TEST_F(WalkKill, SurvivesWhileNothingIsFlushed) { expect_survival({"flush.policy=manual"}); }

TEST_F(WalkKill, SurvivesWhileFlushesAndTheEvictorAreAtWork) {
  expect_survival({"cache.capacity=8MiB", "cache.chunk_size=64KiB", "flush.delay=10ms"});
}

TEST_F(WalkKill, SurvivesWithFlushOnClose) { expect_survival({"flush.policy=on-close"}); }

TEST_F(WalkKill, SurvivesWithWriteThrough) { expect_survival({"flush.policy=write-through"}); }

// The first moments after a mount take up what the last one left: killed there, again and again.
TEST_F(WalkKill, SurvivesDeathsInQuickSuccession) { expect_survival({"flush.delay=20ms"}, milliseconds(60)); }

// Killed while everything is being brought out, several times, until an unmount gets through.
TEST_F(WalkKill, SurvivesDeathDuringUnmount) {
  Walk walk(cache_, walk_steps(kShare * 4));
  random_.seed(walk.seed());
  cache_.mount({.settings = {"flush.policy=manual"}});
  ASSERT_TRUE(walk.agrees());
  for (int round = 0; round < kRounds; ++round) {
    auto unmounted = std::async(std::launch::async, [&] { return cache_.try_run({"unmount", cache_.mountpoint()}); });
    unmounted.wait_for(milliseconds(random(1, 60)));
    cache_.kill_process();
    unmounted.get();
    cache_.detach();
    cache_.mount({.settings = {"flush.policy=manual"}});
    ASSERT_TRUE(walk.mount_equals_model()) << "round " << round;
  }
  cache_.unmount();
  EXPECT_TRUE(walk.external_equals_model());
}

}  // namespace
}  // namespace forebay::test
