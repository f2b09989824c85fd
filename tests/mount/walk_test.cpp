// The differential walk: seeded random file system calls on the mount and on a plain directory, which must always
// agree; at the end the external directory equals the plain one.
#include "tests/support/walk.h"

#include <gtest/gtest.h>

#include "tests/support/outsider.h"

namespace forebay::test {
namespace {

// Steps cost more under these conditions, and fewer of them show the same.
constexpr uint64_t kHalf = 2, kTenth = 10;
// A directory beside those of the walk.
constexpr char kOthers[] = "others";

class WalkTest : public MountTest {
 protected:
  void expect_agreement(const Settings& settings, uint64_t steps) {
    cache_.mount({.settings = settings});
    Walk walk(cache_, steps);
    ASSERT_TRUE(walk.agrees());
    cache_.unmount();
    EXPECT_TRUE(walk.external_equals_model());
  }

  // Files of somebody else, read into a cache of 4 MiB until little is missing to 90 %. A short walk alone need not
  // have that much data at a time.
  void fill_to_the_high_watermark() {
    constexpr int kFiles = 14;
    constexpr size_t kFileSize = kMiB / 4;
    cache_.root().make(std::string("external/") + kOthers);
    for (int i = 0; i < kFiles; ++i) {
      const std::string name = std::string(kOthers) + "/" + std::to_string(i);
      write_file(cache_.outside(name), noise(kFileSize));
      ASSERT_EQ(content_difference(noise(kFileSize), read_file(cache_.inside(name))), "");
    }
  }

  MountedCache cache_;
};

TEST_F(WalkTest, MountAgreesWithPlainDirectory) { expect_agreement({}, walk_steps()); }

// All comes to us; or the kernel reads and writes what it can, also while the cache is small.
TEST_F(WalkTest, AgreesWithoutPassthrough) { expect_agreement({"fuse.passthrough=off"}, walk_steps(kHalf)); }

TEST_F(WalkTest, AgreesWithPassthroughForReading) { expect_agreement({"fuse.passthrough=read"}, walk_steps(kTenth)); }

TEST_F(WalkTest, AgreesWithPassthroughWhileTheEvictorWorks) {
  expect_agreement(
      {"fuse.passthrough_headroom=1MiB", "cache.capacity=64MiB", "cache.chunk_size=64KiB", "flush.delay=20ms"},
      walk_steps(kHalf));
}

TEST_F(WalkTest, AfterAFlushTheOutsideIsTheMountToTheNanosecond) {
  cache_.mount({.settings = {"flush.policy=manual"}});
  Walk walk(cache_, walk_steps(kTenth));
  ASSERT_TRUE(walk.agrees());
  cache_.run({"flush", cache_.mountpoint()});
  EXPECT_EQ(cache_.status().at("dirty_files"), 0);
  EXPECT_TRUE(walk.mount_equals_external());
  EXPECT_TRUE(walk.external_equals_model());
}

TEST_F(WalkTest, AgreesWhileTheOutsideChangesOtherFiles) {
  cache_.mount({.settings = {"consistency.validate=always", "flush.delay=50ms"}});
  Walk walk(cache_, walk_steps(kHalf));
  Outsider outsider(cache_, walk.seed());
  EXPECT_TRUE(walk.agrees());
  EXPECT_EQ(outsider.stop(), "");
  EXPECT_GT(outsider.changes(), 0u);
  EXPECT_EQ(cache_.status().at("conflicts"), 0);
  cache_.unmount();
  EXPECT_TRUE(walk.external_equals_model(Outsider::kDirectory));
}

TEST_F(WalkTest, AgreesWhileTheEvictorWorks) {
  cache_.mount({.settings = {"cache.capacity=4MiB", "cache.chunk_size=64KiB", "flush.delay=50ms"}});
  fill_to_the_high_watermark();
  const Json evicted = cache_.status().at("evicted_bytes");
  Walk walk(cache_, walk_steps(kHalf));
  ASSERT_TRUE(walk.agrees());
  EXPECT_GT(cache_.status().at("evicted_bytes"), evicted) << "the evictor had nothing to do";
  cache_.unmount();
  EXPECT_TRUE(walk.external_equals_model(kOthers));
}

TEST_F(WalkTest, AgreesWhileTheOutsideChangesOtherFilesAndTheEvictorWorks) {
  cache_.mount({.settings = {"consistency.validate=always", "cache.capacity=8MiB", "cache.chunk_size=64KiB",
                             "flush.delay=20ms", "fetch.readahead=0"}});
  Walk walk(cache_, walk_steps(kTenth));
  Outsider outsider(cache_, walk.seed());
  EXPECT_TRUE(walk.agrees());
  EXPECT_EQ(outsider.stop(), "");
  cache_.unmount();
  EXPECT_TRUE(walk.external_equals_model(Outsider::kDirectory));
}

TEST_F(WalkTest, AgreesWithWriteThrough) { expect_agreement({"flush.policy=write-through"}, walk_steps(kTenth)); }

TEST_F(WalkTest, AgreesWithFlushOnClose) { expect_agreement({"flush.policy=on-close"}, walk_steps(kTenth)); }

TEST_F(WalkTest, AgreesWithManualFlush) { expect_agreement({"flush.policy=manual"}, walk_steps(kTenth)); }

TEST_F(WalkTest, AgreesWhenWholeFilesAreFetchedAndNothingIsValidated) {
  expect_agreement({"fetch.mode=whole", "consistency.validate=never"}, walk_steps(kTenth));
}

// What an earlier mount flushed or kept is looked at with other eyes by the next: nothing is in memory.
TEST_F(WalkTest, AgreesAgainAfterARemount) {
  cache_.mount({.settings = {"flush.delay=50ms"}});
  Walk walk(cache_, walk_steps(kTenth));
  ASSERT_TRUE(walk.agrees());
  for (const char* capacity : {"cache.capacity=8MiB", "cache.capacity=1GiB"}) {
    cache_.unmount();
    cache_.mount({.settings = {capacity, "flush.delay=50ms"}});
    ASSERT_TRUE(walk.external_equals_model());
    EXPECT_TRUE(walk.mount_equals_external());
  }
}

}  // namespace
}  // namespace forebay::test
