// When dirty data goes outside, and what goes.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

class FlushPolicy : public MountTest {
 protected:
  MountedCache cache_;
};

TEST_F(FlushPolicy, WriteBackDrainsByItselfAfterTheDelay) {
  cache_.mount({.settings = {"flush.delay=300ms"}});
  write_file(cache_.inside("a"), noise(1 << 20));
  EXPECT_TRUE(exists(cache_.outside("a"))) << "the name is outside at once";
  ASSERT_TRUE(cache_.wait_until_clean());
  EXPECT_EQ(content_difference(noise(1 << 20), read_file(cache_.outside("a"))), "");
  EXPECT_FALSE(cache_.stat("a").at("dirty"));
  EXPECT_TRUE(cache_.stat("a").at("cached")) << "what was flushed stays here";
}

TEST_F(FlushPolicy, WriteBackDrainsWhileTheFileIsOpen) {
  cache_.mount({.settings = {"flush.delay=50ms"}});
  const OpenFile file(cache_.inside("log"), O_CREAT | O_RDWR);
  for (uint64_t line = 0; line < 3; ++line) {
    file.write_at(line * 100, std::string(100, 'x'));
    ASSERT_TRUE(cache_.wait_until_clean());
    EXPECT_EQ(read_file(cache_.outside("log")), std::string((line + 1) * 100, 'x'));
  }
}

TEST_F(FlushPolicy, OnCloseIsOutsideWhenCloseReturns) {
  cache_.mount({.settings = {"flush.policy=on-close"}});
  OpenFile file(cache_.inside("a"), O_CREAT | O_RDWR);
  file.write_at(0, noise(300'000));
  EXPECT_EQ(xattr_of(cache_.inside("a"), "user.forebay.dirty"), "1");
  ASSERT_EQ(file.close(), 0);
  EXPECT_EQ(content_difference(noise(300'000), read_file(cache_.outside("a"))), "");
  EXPECT_EQ(cache_.status().at("dirty_files"), 0);
}

TEST_F(FlushPolicy, WriteThroughIsOutsideWhenWriteReturns) {
  cache_.mount({.settings = {"flush.policy=write-through"}});
  const OpenFile file(cache_.inside("a"), O_CREAT | O_RDWR);
  file.write_at(0, "one");
  EXPECT_EQ(read_file(cache_.outside("a")), "one");
  file.write_at(3, "two");
  EXPECT_EQ(read_file(cache_.outside("a")), "onetwo");
  ASSERT_EQ(::ftruncate(file.fd(), 2), 0);
  EXPECT_EQ(read_file(cache_.outside("a")), "on");
}

TEST_F(FlushPolicy, ManualWaitsForTheCommand) {
  // The delay is that of write-back: if it counted here, the file would be out before the marker is.
  cache_.mount({.settings = {"flush.policy=manual", "flush.delay=1ms"}});
  write_file(cache_.inside("a"), "data");
  write_file(cache_.inside("marker"), "data");
  cache_.run("flush", "marker");
  EXPECT_EQ(read_file(cache_.outside("marker")), "data");
  EXPECT_EQ(read_file(cache_.outside("a")), "");
  EXPECT_TRUE(cache_.stat("a").at("dirty"));
  EXPECT_EQ(cache_.status().at("dirty_files"), 1);
  cache_.run({"flush", cache_.mountpoint()});
  EXPECT_EQ(read_file(cache_.outside("a")), "data");
}

TEST_F(FlushPolicy, OnlyDirtyExtentsMove) {
  write_file(cache_.outside("a"), noise(8 << 20));
  cache_.mount({.settings = {"flush.policy=manual", "cache.chunk_size=64KiB", "fetch.readahead=0"}});
  overwrite(cache_.inside("a"), 5 << 20, "changed");
  cache_.run("flush", "a");
  const Json status = cache_.status();
  EXPECT_LE(status.at("flushed_bytes"), 64 << 10);
  EXPECT_LE(status.at("fetched_bytes"), 128 << 10);
  std::string expected = noise(8 << 20);
  expected.replace(5 << 20, 7, "changed");
  EXPECT_EQ(content_difference(expected, read_file(cache_.outside("a"))), "");
  EXPECT_EQ(content_difference(expected, read_file(cache_.inside("a"))), "");
}

TEST_F(FlushPolicy, TheApplicationsMtimeSurvives) {
  cache_.mount({.settings = {"flush.policy=manual"}});
  write_file(cache_.inside("written"), "data");
  write_file(cache_.inside("set"), "data");
  const timespec times[2] = {{1'000'000'000, 123'456'789}, {1'111'111'111, 987'654'321}};
  ASSERT_EQ(::utimensat(AT_FDCWD, cache_.inside("set").c_str(), times, 0), 0);
  const int64_t written = mtime_ns(cache_.inside("written"));
  cache_.run({"flush", cache_.mountpoint()});
  EXPECT_EQ(mtime_ns(cache_.outside("written")), written);
  EXPECT_EQ(mtime_ns(cache_.inside("written")), written);
  EXPECT_EQ(mtime_ns(cache_.outside("set")), 1'111'111'111'987'654'321);
  EXPECT_EQ(cache_.stat("set").at("mtime0_ns"), 1'111'111'111'987'654'321);
}

TEST_F(FlushPolicy, MaxDirtyBoundsWhatWaits) {
  constexpr int64_t kLimit = 4 << 20;
  cache_.mount({.settings = {"flush.delay=1h", "flush.max_dirty=4MiB"}});
  for (uint64_t i = 0; i < 12; ++i) write_file(cache_.inside(std::to_string(i)), noise(1 << 20, i));
  EXPECT_LE(cache_.status().at("dirty_bytes"), kLimit);
}

TEST_F(FlushPolicy, SparseFilesStaySparseOutside) {
  cache_.mount();
  {
    const OpenFile file(cache_.inside("sparse"), O_CREAT | O_RDWR);
    file.write_at(100 << 20, "end");
    file.write_at(50 << 20, noise(4096));
  }
  write_file(cache_.outside("other"), "");
  ASSERT_EQ(::truncate(cache_.outside("other").c_str(), 100 << 20), 0);
  EXPECT_EQ(read_file(cache_.inside("other")), std::string(100 << 20, '\0'));
  EXPECT_LT(cache_.status().at("used_bytes"), 1 << 20) << "a hole takes no room in the cache";
  cache_.unmount();
  EXPECT_EQ(stat_of(cache_.outside("sparse")).st_size, (100 << 20) + 3);
  EXPECT_LT(stat_of(cache_.outside("sparse")).st_blocks * 512, 1 << 20);
}

}  // namespace
}  // namespace forebay::test
