// Flushes of a chunk file with everything that may come in between, and punching of clean bytes.
#include <gtest/gtest.h>

#include "storage/chunk_file.h"
#include "tests/unit/storage/chunk_harness.h"

namespace forebay::storage {
namespace {

using Extents = std::vector<Extent>;

class ChunkFileFlushTest : public testing::Test, protected ChunkHarness {};

TEST_F(ChunkFileFlushTest, ThePlanIsTheDirtyExtentsAndTheSize) {
  begin("0123456789");
  write(2, "ab");
  write(12, "c");
  const ChunkFile::FlushPlan plan = file().begin_flush();
  EXPECT_EQ(plan.extents, (Extents{{2, 4}, {12, 13}}));
  EXPECT_EQ(plan.base, 10u);
  EXPECT_EQ(plan.size, 13u);
  EXPECT_TRUE(file().flushing());
  EXPECT_TRUE(file().dirty()) << "until it is committed";
  EXPECT_EQ(file().state().dirty_bytes, 3u);
}

TEST_F(ChunkFileFlushTest, AfterACommitItIsCleanInTheNewVersion) {
  begin("0123456789");
  write(2, "ab");
  write(12, "c");
  flush();
  EXPECT_FALSE(file().flushing());
  EXPECT_FALSE(file().dirty());
  EXPECT_EQ(file().version().size, 13u);
  EXPECT_EQ(file().base(), 13u);
  EXPECT_EQ(file().missing(0, 13), (Extents{{0, 2}, {4, 10}})) << "the bytes behind the old end are here";
  EXPECT_EQ(content(), outside());
  expect_kept();
}

TEST_F(ChunkFileFlushTest, AKillDuringTheFlushLeavesItDirty) {
  begin("0123456789");
  write(2, "ab");
  ASSERT_TRUE(file().expect(Expectation::kData));
  move_out(file().begin_flush());
  kill();
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(file().dirty_extents().extents(), (Extents{{2, 4}}));
  EXPECT_EQ(file().expectation(), Expectation::kData) << "what is outside now is our own doing";
  EXPECT_EQ(content(), "01ab456789");
}

TEST_F(ChunkFileFlushTest, AWriteMeanwhileLeavesItDirty) {
  begin("0123456789");
  write(2, "ab");
  move_out(file().begin_flush());
  write(3, "XY");
  ASSERT_TRUE(file().commit_flush(version_of(10, 2000)));
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(file().dirty_extents().extents(), (Extents{{3, 5}}));
  EXPECT_EQ(content(), "01aXY56789");
  expect_kept();
  flush();
  EXPECT_EQ(outside(), "01aXY56789");
  EXPECT_FALSE(file().dirty());
}

TEST_F(ChunkFileFlushTest, ARewriteOfTheSameBytesMeanwhileLeavesThemDirty) {
  begin("0123456789");
  write(2, "ab");
  move_out(file().begin_flush());
  write(2, "XY");
  ASSERT_TRUE(file().commit_flush(version_of(10, 2000)));
  EXPECT_EQ(file().dirty_extents().extents(), (Extents{{2, 4}}));
  expect_kept();
  EXPECT_EQ(content(), "01XY456789");
}

TEST_F(ChunkFileFlushTest, AnExtensionMeanwhileLeavesItDirty) {
  begin("0123");
  write(0, "ab");
  move_out(file().begin_flush());
  ASSERT_TRUE(file().set_size(8));
  ASSERT_TRUE(file().commit_flush(version_of(4, 2000)));
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(content(), std::string("ab23\0\0\0\0", 8));
  expect_kept();
  flush();
  EXPECT_EQ(outside(), std::string("ab23\0\0\0\0", 8));
}

// Truncated and extended while the old content goes out: the outside has the old bytes now, and they must not show.
TEST_F(ChunkFileFlushTest, ATruncationAndExtensionMeanwhileShowsNoOldBytes) {
  begin("0123456789");
  write(2, "abcdef");
  move_out(file().begin_flush());
  ASSERT_TRUE(file().set_size(3));
  ASSERT_TRUE(file().set_size(10));
  ASSERT_TRUE(file().commit_flush(version_of(10, 2000)));
  EXPECT_TRUE(file().dirty());
  const std::string expected("01a\0\0\0\0\0\0\0", 10);
  EXPECT_EQ(content(), expected);
  expect_kept();
  flush();
  EXPECT_EQ(outside(), expected);
  EXPECT_FALSE(file().dirty());
  EXPECT_EQ(content(), expected);
}

TEST_F(ChunkFileFlushTest, ATruncationMeanwhileIsBroughtOutByTheNextFlush) {
  begin("0123456789");
  write(2, "abcdef");
  const ChunkFile::FlushPlan plan = file().begin_flush();
  ASSERT_TRUE(file().set_size(4));
  move_out(plan);
  ASSERT_TRUE(file().commit_flush(version_of(10, 2000)));
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(content(), "01ab");
  expect_kept();
  flush();
  EXPECT_EQ(outside(), "01ab");
}

TEST_F(ChunkFileFlushTest, AnAbortLeavesAllOfItDirty) {
  begin("0123456789");
  write(2, "ab");
  move_out(file().begin_flush());
  write(3, "XY");
  file().abort_flush();
  EXPECT_FALSE(file().flushing());
  EXPECT_EQ(file().dirty_extents().extents(), (Extents{{2, 5}}));
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(space().dirty(), 3u);
  kill();
  EXPECT_EQ(file().dirty_extents().extents(), (Extents{{2, 5}}));
  EXPECT_EQ(content(), "01aXY56789");
}

TEST_F(ChunkFileFlushTest, AnAbortedChangeOfTheMtimeAloneIsStillToDo) {
  begin("0123456789");
  ASSERT_TRUE(file().touch());
  (void)file().begin_flush();
  file().abort_flush();
  EXPECT_TRUE(file().dirty());
  expect_kept();
}

TEST_F(ChunkFileFlushTest, AnExpectationOfAttributesDoesNotWeakenTheFlushs) {
  begin("0123456789");
  write(2, "ab");
  ASSERT_TRUE(file().expect(Expectation::kData));
  (void)file().begin_flush();
  ASSERT_TRUE(file().expect(Expectation::kAttributes));
  EXPECT_EQ(file().expectation(), Expectation::kData);
  kill();
  EXPECT_EQ(file().expectation(), Expectation::kData);
}

TEST_F(ChunkFileFlushTest, BytesWrittenTwiceWhileTheyAreFlushedAreBookedOnceAlsoAfterAKill) {
  begin("0123456789");
  write(2, "ab");
  move_out(file().begin_flush());
  write(2, "XY");
  write(20, "z");
  EXPECT_EQ(file().state().dirty_bytes, 3u);
  EXPECT_EQ(space().dirty(), 3u);
  kill();
  flush();
  EXPECT_EQ(space().dirty(), 0u);
}

TEST_F(ChunkFileFlushTest, WhatIsNotThereAfterAFlushIsFetchedFromTheFlushedFile) {
  begin("0123456789");
  write(2, "ab");
  flush();
  fetch({0, 10});
  EXPECT_EQ(here(0, 10), "01ab456789");
  EXPECT_TRUE(file().complete());
}

TEST_F(ChunkFileFlushTest, PunchingDropsCleanBytesFromTheFront) {
  begin(std::string(64 << 10, 'o'));
  fetch({0, 64 << 10});
  const uint64_t used = space().used();
  EXPECT_EQ(file().punch_clean(10'000).value(), 12'288u) << "whole pages, no less than asked for";
  EXPECT_EQ(file().missing(0, 64 << 10), (Extents{{0, 12'288}}));
  EXPECT_LE(space().used(), used - 12'288 + 4096);
  EXPECT_FALSE(file().complete());
  EXPECT_EQ(content(), std::string(64 << 10, 'o'));
  expect_kept();
  EXPECT_EQ(file().punch_clean(UINT64_MAX).value(), (64u << 10) - 12'288);
  EXPECT_EQ(file().state().present_bytes, 0u);
  EXPECT_EQ(file().punch_clean(UINT64_MAX).value(), 0u);
}

TEST_F(ChunkFileFlushTest, PunchingNeverTakesDirtyBytes) {
  begin(std::string(32 << 10, 'o'));
  fetch({0, 32 << 10});
  write(5000, "new");                      // in the second page
  write(32 << 10, std::string(100, 'e'));  // behind the end
  ASSERT_TRUE(file().set_mtime({1234, 0}));
  const std::string before = content();
  EXPECT_EQ(file().punch_clean(UINT64_MAX).value(), 7u * 4096);
  EXPECT_EQ(content(), before);
  EXPECT_EQ(file().dirty_extents().bytes(), 103u);
  EXPECT_EQ(file().state().mtime, (FileTime{1234, 0})) << "punching is no change of the data";
  expect_kept();
}

TEST_F(ChunkFileFlushTest, PunchingNeverTakesBytesThatAreBeingFlushed) {
  begin(std::string(16 << 10, 'o'));
  write(0, std::string(16 << 10, 'n'));
  const ChunkFile::FlushPlan plan = file().begin_flush();
  EXPECT_EQ(file().punch_clean(UINT64_MAX).value(), 0u);
  EXPECT_EQ(here(0, 16 << 10), std::string(16 << 10, 'n'));
  move_out(plan);
  ASSERT_TRUE(file().commit_flush(version_of(16 << 10, 2000)));
  EXPECT_EQ(file().punch_clean(UINT64_MAX).value(), 16u << 10);
}

TEST_F(ChunkFileFlushTest, PunchingNeverTakesWhatHasNoCopyOutside) {
  begin(std::string(8 << 10, 'o'));
  ASSERT_TRUE(file().set_size(0));
  ASSERT_TRUE(file().set_size(8 << 10));  // zeros here, old bytes outside
  EXPECT_EQ(file().punch_clean(UINT64_MAX).value(), 0u);
  EXPECT_EQ(content(), std::string(8 << 10, '\0'));
}

TEST_F(ChunkFileFlushTest, ATailThatFillsNoPageIsDroppedAsWell) {
  begin(std::string(5000, 'o'));
  fetch({0, 5000});
  EXPECT_EQ(file().punch_clean(UINT64_MAX).value(), 5000u);
  EXPECT_EQ(file().state().present_bytes, 0u);
}

// A drop that is killed between its record and its hole: the record came first.
TEST_F(ChunkFileFlushTest, AHoleWithoutItsRecordCannotBe) {
  begin(std::string(8192, 'o'));
  fetch({0, 8192});
  ASSERT_TRUE(file().punch_clean(4096));
  kill();
  EXPECT_EQ(file().missing(0, 8192), (Extents{{0, 4096}}));
}

}  // namespace
}  // namespace forebay::storage
