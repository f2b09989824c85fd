// When the outside cannot take what it is given, or the mount cannot go: errors arrive where somebody hears them, and
// nothing is lost meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/loop_disk.h"
#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

using testing::HasSubstr;

class Trouble : public MountTest {
 protected:
  MountedCache cache_;
};

TEST_F(Trouble, ABusyMountStaysAndSaysWhoUsesIt) {
  cache_.mount();
  write_file(cache_.inside("a"), "data");
  {
    const OpenFile busy(cache_.inside("a"));
    const ProcessResult result = cache_.try_unmount();
    EXPECT_NE(result.exit_status, 0);
    EXPECT_THAT(result.err, HasSubstr(std::to_string(::getpid()))) << "the process that has it open";
    EXPECT_TRUE(is_mounted(cache_.mountpoint()));
    EXPECT_EQ(busy.read_at(0, 10), "data");
    write_file(cache_.inside("b"), "it works on");
  }
  cache_.unmount();
  EXPECT_EQ(read_file(cache_.outside("b")), "it works on");
}

TEST_F(Trouble, DiscardGivesUpWhatIsDirty) {
  cache_.mount({.settings = {"flush.policy=manual"}});
  write_file(cache_.inside("a"), "old");
  cache_.run({"flush", cache_.mountpoint()});
  write_file(cache_.inside("a"), "new, and unwanted");
  cache_.run({"unmount", "--discard", cache_.mountpoint()});
  EXPECT_FALSE(is_mounted(cache_.mountpoint()));
  EXPECT_EQ(read_file(cache_.outside("a")), "old");
}

class FullOutside : public Trouble {
 protected:
  static constexpr uint64_t kDiskBytes = 32 << 20;

  void SetUp() override {
    Trouble::SetUp();
    if (IsSkipped()) return;
    disk_.emplace(cache_.external(), kDiskBytes);
  }

  std::optional<LoopDisk> disk_;
};

// The data was accepted; the outside has no room for it. Whoever asks hears of it, and it stays here until it fits.
void expect_late_error_then_recovery(MountedCache& cache, LoopDisk& disk, int reported) {
  EXPECT_EQ(reported, ENOSPC);
  EXPECT_TRUE(cache.stat("a").at("dirty"));
  EXPECT_NE(cache.try_unmount().exit_status, 0);
  EXPECT_TRUE(is_mounted(cache.mountpoint())) << "it stays mounted while something cannot be flushed";
  EXPECT_EQ(content_difference(noise(4 * kMiB), read_file(cache.inside("a"))), "");
  disk.make_room();
  cache.unmount();
  EXPECT_EQ(content_difference(noise(4 * kMiB), read_file(cache.outside("a"))), "");
}

TEST_F(FullOutside, IsReportedByFsyncWithWriteBack) {
  cache_.mount({.settings = {"flush.delay=10ms"}});
  OpenFile file(cache_.inside("a"), O_CREAT | O_RDWR);
  disk_->fill_up();
  file.write_at(0, noise(4 * kMiB));
  ASSERT_TRUE(cache_.wait_for([](const Json& status) { return status.at("flush_failures") > 0; }));
  const int reported = file.sync();
  file.close();
  expect_late_error_then_recovery(cache_, *disk_, reported);
}

TEST_F(FullOutside, IsReportedByCloseWithWriteBack) {
  cache_.mount({.settings = {"flush.delay=10ms"}});
  OpenFile file(cache_.inside("a"), O_CREAT | O_RDWR);
  disk_->fill_up();
  file.write_at(0, noise(4 * kMiB));
  ASSERT_TRUE(cache_.wait_for([](const Json& status) { return status.at("flush_failures") > 0; }));
  expect_late_error_then_recovery(cache_, *disk_, file.close());
}

// A process that is started closes the copies it has inherited; that must not take the news from us.
TEST_F(FullOutside, IsStillReportedByFsyncWhenAChildHasClosedItsCopy) {
  cache_.mount({.settings = {"flush.policy=manual"}});
  OpenFile file(cache_.inside("a"), O_CREAT | O_RDWR);
  disk_->fill_up();
  file.write_at(0, noise(4 * kMiB));
  EXPECT_NE(cache_.try_run("flush", "a").exit_status, 0);
  run_process({"true"});
  const int reported = file.sync();
  file.close();
  expect_late_error_then_recovery(cache_, *disk_, reported);
}

TEST_F(FullOutside, IsReportedByCloseWithFlushOnClose) {
  cache_.mount({.settings = {"flush.policy=on-close"}});
  OpenFile file(cache_.inside("a"), O_CREAT | O_RDWR);
  disk_->fill_up();
  file.write_at(0, noise(4 * kMiB));
  expect_late_error_then_recovery(cache_, *disk_, file.close());
}

TEST_F(FullOutside, IsReportedByWriteWithWriteThrough) {
  cache_.mount({.settings = {"flush.policy=write-through"}});
  OpenFile file(cache_.inside("a"), O_CREAT | O_RDWR);
  disk_->fill_up();
  EXPECT_EQ(file.try_write_at(0, noise(4 * kMiB)), ENOSPC);
}

TEST_F(FullOutside, IsReportedByTheFlushCommand) {
  cache_.mount({.settings = {"flush.policy=manual"}});
  write_file(cache_.inside("a"), noise(4 * kMiB));
  disk_->fill_up();
  const ProcessResult flushed = cache_.try_run("flush", "a");
  EXPECT_NE(flushed.exit_status, 0);
  EXPECT_THAT(flushed.err, HasSubstr("No space left"));
  expect_late_error_then_recovery(cache_, *disk_, ENOSPC);
}

// The disk with the cache is full, by somebody else: there is no room to be made, but the outside has some.
TEST_F(Trouble, AFullCacheDiskSlowsDownAndLosesNothing) {
  LoopDisk disk(cache_.cache(), 64 << 20);
  cache_.mount({.settings = {"flush.policy=manual"}});
  write_file(cache_.inside("before"), noise(4 * kMiB, 1));
  disk.fill_up(2 * kMiB);
  for (uint64_t i = 2; i < 12; ++i) write_file(cache_.inside(std::to_string(i)), noise(2 * kMiB, i));
  EXPECT_EQ(content_difference(noise(4 * kMiB, 1), read_file(cache_.inside("before"))), "");
  for (uint64_t i = 2; i < 12; ++i) {
    EXPECT_EQ(content_difference(noise(2 * kMiB, i), read_file(cache_.inside(std::to_string(i)))), "") << i;
  }
  cache_.unmount();
  for (uint64_t i = 2; i < 12; ++i) {
    EXPECT_EQ(content_difference(noise(2 * kMiB, i), read_file(cache_.outside(std::to_string(i)))), "") << i;
  }
}

TEST_F(Trouble, AReadOnlyOutsideIsReadOnlyHere) {
  write_file(cache_.outside("a"), noise(kMiB));
  ASSERT_EQ(::mount(cache_.external().c_str(), cache_.external().c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, cache_.external().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
  cache_.mount();
  EXPECT_EQ(content_difference(noise(kMiB), read_file(cache_.inside("a"))), "");
  EXPECT_EQ(open_errno(cache_.inside("a"), O_WRONLY), EROFS);
  EXPECT_EQ(open_errno(cache_.inside("new"), O_CREAT | O_WRONLY), EROFS);
  EXPECT_NE(::mkdir(cache_.inside("d").c_str(), 0755), 0);
  cache_.unmount();
}

// Read-only only later: a write that could never go out is refused when the file is opened.
TEST_F(Trouble, AnOutsideThatTurnsReadOnlyRefusesOpensForWriting) {
  ASSERT_EQ(::mount(cache_.external().c_str(), cache_.external().c_str(), nullptr, MS_BIND, nullptr), 0);
  write_file(cache_.outside("a"), "data");
  cache_.mount();
  EXPECT_EQ(open_errno(cache_.inside("a"), O_WRONLY), 0);
  ASSERT_EQ(::mount(nullptr, cache_.external().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
  EXPECT_EQ(open_errno(cache_.inside("a"), O_WRONLY), EROFS);
  EXPECT_EQ(open_errno(cache_.inside("new"), O_CREAT | O_WRONLY), EROFS);
  EXPECT_EQ(read_file(cache_.inside("a")), "data");
}

}  // namespace
}  // namespace forebay::test
