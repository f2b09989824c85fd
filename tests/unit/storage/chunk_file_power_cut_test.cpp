// After a power cut the log may tell of data that never reached the disk. Only what was synced counts for what was
// added; what takes away or marks dirty counts in any case.
#include <gtest/gtest.h>

#include <filesystem>

#include "storage/chunk_file.h"
#include "tests/unit/storage/chunk_harness.h"

namespace forebay::storage {
namespace {

using Extents = std::vector<Extent>;

class PowerCutTest : public testing::Test, protected ChunkHarness {
 protected:
  // These bytes of the chunk file never reached the disk.
  void lose(uint64_t offset, const std::string& old_bytes) {
    ASSERT_TRUE(pwrite_full(file().fd(), old_bytes.data(), old_bytes.size(), offset));
  }
  uint64_t log_bytes() const { return std::filesystem::file_size(map_path()); }
  void make_log_long() {
    constexpr int kRecords = 1100;
    for (int i = 0; i < kRecords; ++i) ASSERT_TRUE(file().set_size(10));
    EXPECT_GT(log_bytes(), uint64_t{48} << 10);
  }
  // A power cut after all was fetched, of which only the first four bytes were synced.
  void lose_a_fetched_tail() {
    begin("0123456789");
    fetch({0, 4});
    ASSERT_TRUE(file().sync());
    fetch({4, 10});
    lose(4, std::string(6, '\0'));
    power_cut();
  }
};

TEST_F(PowerCutTest, WhatWasFetchedAndSyncedIsHere) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_TRUE(file().sync());
  power_cut();
  EXPECT_TRUE(file().complete());
  EXPECT_EQ(content(), "0123456789");
}

TEST_F(PowerCutTest, WhatWasFetchedAndNotSyncedIsFetchedAgain) {
  lose_a_fetched_tail();
  EXPECT_EQ(file().missing(0, 10), (Extents{{4, 10}}));
  EXPECT_EQ(content(), "0123456789");
}

TEST_F(PowerCutTest, AWriteThatWasSyncedIsHereAndDirty) {
  begin("0123456789");
  write(2, "ab");
  write(12, "c");
  ASSERT_TRUE(file().sync());
  power_cut();
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(content(), std::string("01ab456789\0\0c", 13));
}

TEST_F(PowerCutTest, AWriteThatWasNotSyncedDoesNotShowZeros) {
  begin("0123456789");
  ASSERT_TRUE(file().sync());
  write(2, "ab");
  lose(2, std::string(2, '\0'));
  power_cut();
  EXPECT_EQ(content(), "0123456789");
}

TEST_F(PowerCutTest, AnOverwriteThatWasNotSyncedIsStillDirty) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_TRUE(file().sync());
  write(2, "ab");
  power_cut();
  EXPECT_TRUE(file().dirty()) << "the bytes may be the old or the new ones; the outside must become the same";
  EXPECT_TRUE(file().dirty_extents().contains(2, 4));
}

TEST_F(PowerCutTest, ADropCountsThoughItWasNotSynced) {
  begin(std::string(8192, 'o'));
  fetch({0, 8192});
  ASSERT_TRUE(file().sync());
  ASSERT_TRUE(file().punch_clean(4096));
  power_cut();
  EXPECT_EQ(file().missing(0, 8192), (Extents{{0, 4096}}));
}

TEST_F(PowerCutTest, ATruncationCountsThoughItWasNotSynced) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_TRUE(file().sync());
  ASSERT_TRUE(file().set_size(3));
  power_cut();
  EXPECT_EQ(content(), "012");
}

TEST_F(PowerCutTest, ALogWithoutASyncGivesNothingButTheOutside) {
  begin("0123456789");
  fetch({0, 10});
  lose(0, std::string(10, '\0'));
  power_cut();
  EXPECT_EQ(file().missing(0, 10), (Extents{{0, 10}}));
  EXPECT_EQ(file().version(), version_of(10));
}

TEST_F(PowerCutTest, AShorterChunkFileThanTheLogSaysHasLostItsTail) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_TRUE(file().sync());
  ASSERT_EQ(::truncate(chunk_path().c_str(), 4), 0);
  power_cut();
  EXPECT_EQ(content(), "0123456789");
  EXPECT_EQ(file().missing(0, 10), (Extents{{4, 10}}));
}

TEST_F(PowerCutTest, ARewrittenLogIsTrustedUpToItsRewrite) {
  begin("0123456789");
  fetch({0, 10});
  write(2, "ab");
  for (int i = 0; i < 70'000; ++i) ASSERT_TRUE(file().set_size(10));  // until it has grown too long
  EXPECT_LT(log_bytes(), uint64_t{1} << 20);
  power_cut();
  EXPECT_EQ(content(), "01ab456789");
  EXPECT_TRUE(file().dirty_extents().contains(2, 4));
}

// Who writes does not wait for the disk because the log is long: a sync shortens it, which waits for the disk anyway.
TEST_F(PowerCutTest, ALogIsShortenedByASync) {
  begin("0123456789");
  fetch({0, 10});
  write(2, "ab");
  ASSERT_TRUE(file().sync());
  write(4, "cd");
  make_log_long();
  ASSERT_TRUE(file().sync());
  EXPECT_LT(log_bytes(), 1024u);
  write(6, "ef");
  power_cut();
  EXPECT_EQ(content().substr(0, 6), "01abcd");
  EXPECT_TRUE(file().dirty_extents().contains(2, 6));
}

TEST_F(PowerCutTest, ALogIsShortenedByAFlush) {
  begin("0123456789");
  fetch({0, 10});
  write(4, "cd");
  make_log_long();
  flush();
  EXPECT_LT(log_bytes(), 1024u);
  power_cut();
  EXPECT_EQ(content(), "0123cd6789");
}

// A flush syncs the outside, not the target. If the overwritten bytes never reached the target's disk, the old bytes
// there are not the flushed version.
TEST_F(PowerCutTest, AnOverwriteThatWasFlushedButNotSyncedHereDoesNotShowOldBytes) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_TRUE(file().sync());
  write(2, "ab");
  flush();
  ASSERT_EQ(outside(), "01ab456789");
  lose(2, "23");
  power_cut();
  EXPECT_EQ(content(), "01ab456789") << describe(file());
}

// What one start distrusts the next one must not believe: the bytes have not come back meanwhile.
TEST_F(PowerCutTest, WhatWasLostStaysLostAtTheNextStart) {
  lose_a_fetched_tail();
  ASSERT_EQ(content(), "0123456789");
  kill();
  EXPECT_EQ(content(), "0123456789") << describe(file());
}

TEST_F(PowerCutTest, WhatWasLostStaysLostAfterALaterSync) {
  lose_a_fetched_tail();
  write(0, "x");
  ASSERT_TRUE(file().sync());
  power_cut();
  EXPECT_EQ(content(), "x123456789") << describe(file());
}

}  // namespace
}  // namespace forebay::storage
