// What is in the cache, what leaves it, and who decides: prefetch, evict, pin, and the evictor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

class Residency : public MountTest {
 protected:
  MountedCache cache_;
};

TEST_F(Residency, PrefetchBringsAFileAndATreeIn) {
  cache_.root().make("external/tree/deep");
  write_file(cache_.outside("tree/a"), noise(kMiB));
  write_file(cache_.outside("tree/deep/b"), noise(kMiB));
  cache_.mount();
  EXPECT_FALSE(cache_.stat("tree/a").at("cached"));
  cache_.run("prefetch", "tree");
  for (const char* name : {"tree/a", "tree/deep/b"}) {
    const Json stat = cache_.stat(name);
    EXPECT_TRUE(stat.at("cached")) << name;
    EXPECT_EQ(stat.at("present_bytes"), kMiB) << name;
  }
  const Json fetched = cache_.status().at("fetched_bytes");
  EXPECT_EQ(content_difference(noise(kMiB), read_file(cache_.inside("tree/deep/b"))), "");
  EXPECT_EQ(cache_.status().at("fetched_bytes"), fetched) << "it was fetched already";
}

TEST_F(Residency, SmallFilesOfAListedDirectoryComeByThemselvesIfThatIsWanted) {
  constexpr int kFiles = 50;
  cache_.root().make("external/tree");
  for (int i = 0; i < kFiles; ++i) write_file(cache_.outside("tree/" + std::to_string(i)), noise(1000, i));
  write_file(cache_.outside("tree/large"), noise(kMiB));
  cache_.mount();
  names_in(cache_.inside("tree"));
  EXPECT_EQ(cache_.status().at("fetched_bytes"), 0) << "it must be asked for";
  cache_.unmount();
  cache_.mount({.settings = {"fetch.small_files=64KiB"}});
  names_in(cache_.inside("tree"));
  EXPECT_TRUE(cache_.wait_for([](const Json& status) { return status.at("cached_files") == kFiles; }));
  EXPECT_FALSE(cache_.stat("tree/large").at("cached"));
  const Json fetched = cache_.status().at("fetched_bytes");
  for (int i = 0; i < kFiles; ++i) {
    EXPECT_EQ(content_difference(noise(1000, i), read_file(cache_.inside("tree/" + std::to_string(i)))), "");
  }
  EXPECT_EQ(cache_.status().at("fetched_bytes"), fetched);
}

TEST_F(Residency, AMissFetchesOnlyWhatIsRead) {
  write_file(cache_.outside("a"), noise(16 * kMiB));
  cache_.mount({.settings = {"cache.chunk_size=64KiB", "fetch.readahead=0"}});
  const OpenFile file(cache_.inside("a"));
  EXPECT_EQ(file.read_at(9 * kMiB, 1000), noise(16 * kMiB).substr(9 * kMiB, 1000));
  const Json stat = cache_.stat("a");
  EXPECT_FALSE(stat.at("cached"));
  EXPECT_GT(stat.at("present_bytes"), 0);
  EXPECT_LE(stat.at("present_bytes"), kMiB);
}

TEST_F(Residency, EvictFlushesFirstAndTheFileIsFetchedAgain) {
  cache_.mount({.settings = {"flush.policy=manual"}});
  write_file(cache_.inside("a"), noise(kMiB));
  cache_.run("evict", "a");
  EXPECT_EQ(content_difference(noise(kMiB), read_file(cache_.outside("a"))), "");
  const Json stat = cache_.stat("a");
  EXPECT_FALSE(stat.at("cached"));
  EXPECT_FALSE(stat.at("dirty"));
  EXPECT_EQ(stat.at("present_bytes"), 0);
  EXPECT_EQ(content_difference(noise(kMiB), read_file(cache_.inside("a"))), "");
}

TEST_F(Residency, WhatIsReadAfterAnEvictIsInTheCacheAgain) {
  write_file(cache_.outside("a"), noise(kMiB));
  cache_.mount();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(content_difference(noise(kMiB), read_file(cache_.inside("a"))), "");
    EXPECT_TRUE(cache_.stat("a").at("cached")) << round;
    cache_.run("evict", "a");
    EXPECT_FALSE(cache_.stat("a").at("cached")) << round;
  }
}

TEST_F(Residency, EvictOfAnOpenFileLosesNothing) {
  write_file(cache_.outside("a"), noise(2 * kMiB));
  cache_.mount({.settings = {"flush.policy=manual"}});
  const OpenFile file(cache_.inside("a"), O_RDWR);
  file.write_at(5, "ours");
  cache_.try_run("evict", "a");
  file.write_at(kMiB, "more");
  std::string expected = noise(2 * kMiB);
  expected.replace(5, 4, "ours").replace(kMiB, 4, "more");
  EXPECT_EQ(content_difference(expected, file.read_at(0, 3 * kMiB)), "");
  cache_.run("flush", "a");
  EXPECT_EQ(content_difference(expected, read_file(cache_.outside("a"))), "");
}

TEST_F(Residency, PinnedStaysWhenOthersLeaveAlsoAfterARemount) {
  constexpr int kFiles = 12;
  const MountWith with{.settings = {"cache.capacity=8MiB", "cache.chunk_size=64KiB"}};
  write_file(cache_.outside("pinned"), noise(2 * kMiB, 99));
  for (int i = 0; i < kFiles; ++i) write_file(cache_.outside(std::to_string(i)), noise(kMiB, static_cast<uint64_t>(i)));
  cache_.mount(with);
  cache_.run("pin", "pinned");
  EXPECT_TRUE(cache_.stat("pinned").at("cached")) << "pin fetches";
  for (int mounts = 0; mounts < 2; ++mounts) {
    for (int i = 0; i < kFiles; ++i) read_file(cache_.inside(std::to_string(i)));
    EXPECT_TRUE(cache_.stat("pinned").at("pinned"));
    EXPECT_TRUE(cache_.stat("pinned").at("cached"));
    EXPECT_FALSE(cache_.stat("0").at("cached")) << "the file used least recently leaves first";
    EXPECT_LE(cache_.status().at("used_bytes"), 8 * kMiB);
    cache_.unmount();
    cache_.mount(with);
  }
  EXPECT_NE(cache_.try_run("evict", "pinned").exit_status, 0);
  cache_.run("unpin", "pinned");
  EXPECT_FALSE(cache_.stat("pinned").at("pinned"));
  for (int i = 0; i < kFiles; ++i) read_file(cache_.inside(std::to_string(i)));
  EXPECT_FALSE(cache_.stat("pinned").at("cached"));
}

TEST_F(Residency, AFileLargerThanTheCacheIsWrittenAndReadWhole) {
  constexpr size_t kPieces = 40;
  cache_.mount({.settings = {"cache.capacity=8MiB", "cache.chunk_size=64KiB"}});
  const OpenFile file(cache_.inside("large"), O_CREAT | O_RDWR);
  for (size_t i = 0; i < kPieces; ++i) {
    ASSERT_EQ(file.try_write_at(i * kMiB, noise(kMiB, i)), 0) << "a full cache throttles, it does not fail";
    ASSERT_LE(cache_.status().at("used_bytes"), 8 * kMiB);
  }
  for (size_t i = 0; i < kPieces; ++i) {
    ASSERT_EQ(content_difference(noise(kMiB, i), file.read_at(i * kMiB, kMiB)), "") << "piece " << i;
  }
  EXPECT_LE(cache_.status().at("used_bytes"), 8 * kMiB);
  cache_.run("flush", "large");
  const OpenFile outside(cache_.outside("large"));
  for (size_t i = 0; i < kPieces; ++i) {
    ASSERT_EQ(content_difference(noise(kMiB, i), outside.read_at(i * kMiB, kMiB)), "") << "piece " << i;
  }
}

// New files that nobody has looked at since are all that there is to make room with.
TEST_F(Residency, DirtyFilesAreFlushedForRoomWhateverThePolicy) {
  for (const char* policy : {"flush.policy=manual", "flush.delay=1h"}) {
    cache_.mount({.settings = {policy, "flush.max_dirty=100%", "cache.capacity=8MiB", "cache.chunk_size=64KiB"}});
    for (uint64_t i = 0; i < 20; ++i) ASSERT_NO_THROW(write_file(cache_.inside(std::to_string(i)), noise(kMiB, i)));
    EXPECT_LE(cache_.status().at("used_bytes"), 8 * kMiB);
    for (uint64_t i = 0; i < 20; ++i) {
      ASSERT_EQ(content_difference(noise(kMiB, i), read_file(cache_.inside(std::to_string(i)))), "") << i;
    }
    cache_.unmount();
    for (uint64_t i = 0; i < 20; ++i) {
      ASSERT_EQ(content_difference(noise(kMiB, i), read_file(cache_.outside(std::to_string(i)))), "") << i;
    }
  }
}

TEST_F(Residency, AttributesSayWhatStatSays) {
  write_file(cache_.outside("a"), noise(kMiB));
  cache_.mount({.settings = {"flush.policy=manual", "cache.chunk_size=128KiB"}});
  EXPECT_EQ(xattr_of(cache_.inside("a"), "user.forebay.cached"), "0");
  read_file(cache_.inside("a"));
  overwrite(cache_.inside("a"), 0, "x");
  const Json stat = cache_.stat("a");
  EXPECT_EQ(stat.at("layout").at("chunk_size"), 128 << 10);
  EXPECT_EQ(stat.at("layout").at("targets").size(), 1u);
  for (const char* key : {"size", "present_bytes", "mtime0_ns"}) {
    EXPECT_EQ(xattr_of(cache_.inside("a"), std::string("user.forebay.") + key), stat.at(key).dump()) << key;
  }
  EXPECT_EQ(xattr_of(cache_.inside("a"), "user.forebay.cached"), "1");
  EXPECT_EQ(xattr_of(cache_.inside("a"), "user.forebay.dirty"), "1");
  EXPECT_EQ(xattr_of(cache_.inside("a"), "user.forebay.pinned"), "0");
  EXPECT_EQ(xattr_of(cache_.inside("a"), "user.forebay.nonsense"), "");
}

TEST_F(Residency, StatTakesSeveralPathsAndRefusesStrangers) {
  write_file(cache_.outside("a"), "1");
  write_file(cache_.outside("b"), "22");
  cache_.mount();
  const ProcessResult both = cache_.try_run({"stat", "--json", cache_.inside("a"), cache_.inside("b")});
  ASSERT_TRUE(both.ok()) << describe(both);
  const auto second = both.out.find('\n');
  EXPECT_EQ(Json::parse(both.out.substr(0, second)).at("path"), cache_.inside("a"));
  EXPECT_EQ(Json::parse(both.out.substr(second)).at("size"), 2);
  const ProcessResult stranger = cache_.try_run({"stat", "/etc/passwd"});
  EXPECT_NE(stranger.exit_status, 0);
  EXPECT_THAT(stranger.err, testing::HasSubstr("/etc/passwd"));
}

}  // namespace
}  // namespace forebay::test
