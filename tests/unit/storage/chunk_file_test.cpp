// One transition of a chunk file after the other; after each, a process that starts anew finds the same state.
#include "storage/chunk_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <filesystem>

#include "tests/unit/storage/chunk_harness.h"

namespace forebay::storage {
namespace {

class ChunkFileTest : public testing::Test, protected ChunkHarness {
 protected:
  void forget_log() {
    ASSERT_EQ(::removexattr(chunk_path().c_str(), "user.fb"), 0);
    ASSERT_FALSE(std::filesystem::exists(map_path()));
  }
  // As many changes as no attribute has room for.
  void set_size_often(int times) {
    for (int i = 0; i < times; ++i) ASSERT_TRUE(file().set_size(static_cast<uint64_t>(50 + i)));
  }
};

TEST_F(ChunkFileTest, IsNothingUntilItIsMade) {
  EXPECT_FALSE(file().exists());
  EXPECT_EQ(file().size(), 0u);
  EXPECT_FALSE(file().dirty());
  ASSERT_TRUE(file().reset(version_of(100)));
  EXPECT_FALSE(file().exists());
  EXPECT_EQ(file().size(), 100u);
  EXPECT_FALSE(file().complete());
  EXPECT_EQ(file().missing(0, 200), (std::vector<Extent>{{0, 100}}));
  EXPECT_EQ(file().state().present_bytes, 0u);
}

TEST_F(ChunkFileTest, CreateKeepsVersionSizeAndIdentity) {
  ASSERT_TRUE(file().reset(version_of(100)));
  ASSERT_TRUE(file().create({1, 2, {3, 4}}));
  EXPECT_TRUE(file().exists());
  expect_kept();
  EXPECT_EQ(file().version(), version_of(100));
  EXPECT_EQ(file().identity, (Identity{1, 2, {3, 4}}));
  EXPECT_FALSE(file().dirty());
}

TEST_F(ChunkFileTest, AnEmptyFileIsCompleteAndClean) {
  begin("");
  EXPECT_TRUE(file().complete());
  EXPECT_FALSE(file().dirty());
  expect_kept();
}

TEST_F(ChunkFileTest, FetchedBytesArePresentAndClean) {
  begin("0123456789");
  fetch({2, 5});
  EXPECT_EQ(file().missing(0, 10), (std::vector<Extent>{{0, 2}, {5, 10}}));
  EXPECT_FALSE(file().dirty());
  EXPECT_EQ(file().state().present_bytes, 3u);
  expect_kept();
  fetch({0, 10});
  EXPECT_TRUE(file().complete());
  expect_kept();
  EXPECT_EQ(here(0, 10), "0123456789");
}

TEST_F(ChunkFileTest, NextMissingFindsTheFirstGap) {
  begin(std::string(100, 'x'));
  fetch({0, 10});
  fetch({20, 100});
  Extent gap;
  ASSERT_TRUE(file().next_missing(0, &gap));
  EXPECT_EQ(gap, (Extent{10, 20}));
  ASSERT_TRUE(file().next_missing(15, &gap));
  EXPECT_EQ(gap, (Extent{15, 20}));
  EXPECT_FALSE(file().next_missing(20, &gap));
  EXPECT_FALSE(file().next_missing(1000, &gap));
}

TEST_F(ChunkFileTest, AHoleIsPresentWithoutData) {
  begin(std::string(1 << 20, '\0'));
  ASSERT_TRUE(file().add_present({0, 1 << 20}, nullptr));
  EXPECT_TRUE(file().complete());
  EXPECT_LT(file().state().blocks, 16u);
  expect_kept();
}

TEST_F(ChunkFileTest, AWriteToMissingBytesIsPresentAndDirty) {
  begin("0123456789");
  write(3, "abc");
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(content(), "012abc6789");
  EXPECT_EQ(file().dirty_extents().extents(), (std::vector<Extent>{{3, 6}}));
  expect_kept();
}

TEST_F(ChunkFileTest, AFetchDoesNotTouchWhatWasWritten) {
  begin("0123456789");
  write(3, "abc");
  fetch({0, 10});
  EXPECT_EQ(here(0, 10), "012abc6789");
  expect_kept();
}

// The record of a write to present clean bytes comes before the data: a kill in between leaves them dirty, and a flush
// can only bring out what is here.
TEST_F(ChunkFileTest, AWriteToPresentBytesIsDirtyBeforeTheFirstByteChanges) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_TRUE(file().before_change({2, 4}));
  ASSERT_TRUE(pwrite_full(file().fd(), "X", 1, 2));  // and is cut short
  kill();
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(file().dirty_extents().extents(), (std::vector<Extent>{{2, 4}}));
  EXPECT_EQ(content(), "01X3456789");
}

TEST_F(ChunkFileTest, AWriteToMissingBytesThatIsCutShortNeverHappened) {
  begin("0123456789");
  ASSERT_TRUE(file().before_change({2, 4}));
  ASSERT_TRUE(pwrite_full(file().fd(), "XX", 2, 2));
  kill();
  EXPECT_FALSE(file().dirty());
  EXPECT_EQ(content(), "0123456789") << "the outside's bytes count";
}

TEST_F(ChunkFileTest, AWriteBehindTheEndThatIsCutShortNeverHappened) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_TRUE(file().before_change({10, 14}));
  ASSERT_TRUE(pwrite_full(file().fd(), "XXXX", 4, 10));
  kill();
  EXPECT_EQ(content(), "0123456789");
  ASSERT_TRUE(file().set_size(14));
  EXPECT_EQ(content(), std::string("0123456789\0\0\0\0", 14)) << "and does not show through later";
}

TEST_F(ChunkFileTest, AWriteBehindTheEndExtendsWithZeros) {
  begin("0123");
  write(6, "ab");
  EXPECT_EQ(file().size(), 8u);
  EXPECT_EQ(content(), std::string("0123\0\0ab", 8));
  EXPECT_EQ(file().missing(0, 8), (std::vector<Extent>{{0, 4}})) << "only what is outside has to come";
  expect_kept();
}

TEST_F(ChunkFileTest, TruncatedAndExtendedItShowsNoOldBytes) {
  begin("0123456789");
  fetch({0, 5});
  write(7, "ab");
  ASSERT_TRUE(file().set_size(3));
  EXPECT_EQ(content(), "012");
  EXPECT_TRUE(file().dirty());
  expect_kept();
  ASSERT_TRUE(file().set_size(10));
  EXPECT_EQ(content(), std::string("012\0\0\0\0\0\0\0", 10));
  expect_kept();
  EXPECT_TRUE(file().dirty());
}

TEST_F(ChunkFileTest, TruncatedAndExtendedWithNothingHereItShowsNoOldBytes) {
  begin("0123456789");
  ASSERT_TRUE(file().set_size(3));
  ASSERT_TRUE(file().set_size(10));
  EXPECT_EQ(file().missing(0, 10), (std::vector<Extent>{{0, 3}}));
  EXPECT_EQ(content(), std::string("012\0\0\0\0\0\0\0", 10));
  EXPECT_TRUE(file().dirty()) << "though it is as long as outside";
  expect_kept();
  flush();
  EXPECT_EQ(outside(), std::string("012\0\0\0\0\0\0\0", 10));
}

TEST_F(ChunkFileTest, ATruncationToTheSameSizeIsAChange) {
  begin("0123456789");
  ASSERT_TRUE(file().set_size(10));
  EXPECT_TRUE(file().dirty()) << "its mtime is newer";
  expect_kept();
}

TEST_F(ChunkFileTest, ASizeThatTheCacheCannotHoldIsRefusedAndNothingChanges) {
  begin("0123456789");
  fetch({0, 10});
  const Status refused = file().set_size(1ull << 62);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EFBIG);
  EXPECT_EQ(content(), "0123456789");
  kill();
  EXPECT_EQ(content(), "0123456789");
  EXPECT_TRUE(file().complete());
}

TEST_F(ChunkFileTest, TouchMakesDirtyWithoutABytesChange) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_TRUE(file().touch());
  EXPECT_TRUE(file().dirty());
  EXPECT_TRUE(file().dirty_extents().empty());
  expect_kept();
  flush();
  EXPECT_FALSE(file().dirty());
}

TEST_F(ChunkFileTest, SetMtimeLasts) {
  begin("0123");
  write(0, "x");
  ASSERT_TRUE(file().set_mtime({-1000, 999'999'999}));
  EXPECT_EQ(file().state().mtime, (FileTime{-1000, 999'999'999}));
  kill();
  EXPECT_EQ(file().state().mtime, (FileTime{-1000, 999'999'999}));
}

TEST_F(ChunkFileTest, AFetchLeavesTheMtimeOfDirtyDataAlone) {
  begin("0123456789");
  write(0, "x");
  ASSERT_TRUE(file().set_mtime({1234, 5678}));
  fetch({0, 10});
  EXPECT_EQ(file().state().mtime, (FileTime{1234, 5678}));
}

TEST_F(ChunkFileTest, VersionAndExpectationLast) {
  begin("0123456789");
  ASSERT_TRUE(file().expect(Expectation::kAttributes));
  expect_kept();
  EXPECT_EQ(file().expectation(), Expectation::kAttributes);
  ASSERT_TRUE(file().set_version(version_of(10, 2000)));
  EXPECT_EQ(file().expectation(), Expectation::kNothing);
  expect_kept();
  EXPECT_EQ(file().version(), version_of(10, 2000));
}

TEST_F(ChunkFileTest, AResetForgetsEverythingThatWasHere) {
  begin("0123456789");
  fetch({0, 10});
  write(2, "ab");
  outside() = "another";
  ASSERT_TRUE(file().reset(version_of(7, 3000)));
  EXPECT_FALSE(file().dirty());
  EXPECT_EQ(content(), "another");
  EXPECT_EQ(space().dirty(), 0u);
  expect_kept();
  ASSERT_TRUE(file().set_size(12));
  EXPECT_EQ(here(7, 12), std::string(5, '\0'));
}

TEST_F(ChunkFileTest, RemoveLeavesNothingOnTheTarget) {
  begin("0123456789");
  write(0, "abc");
  ASSERT_TRUE(file().remove(version_of(10)));
  EXPECT_FALSE(file().exists());
  EXPECT_FALSE(std::filesystem::exists(chunk_path()));
  EXPECT_FALSE(std::filesystem::exists(map_path()));
  EXPECT_EQ(space().used(), 0u);
  EXPECT_EQ(space().dirty(), 0u);
  kill();
  EXPECT_FALSE(file().exists());
}

TEST_F(ChunkFileTest, ARemovalThatWasCutShortIsFinished) {
  begin("0123456789");
  fetch({0, 10});
  ASSERT_EQ(::unlink(chunk_path().c_str()), 0);
  kill();
  EXPECT_FALSE(file().exists());
  EXPECT_FALSE(std::filesystem::exists(map_path()));
}

TEST_F(ChunkFileTest, ACreationThatWasCutShortIsUndone) {
  begin("0123456789");
  forget_log();
  kill();
  EXPECT_FALSE(file().exists());
  EXPECT_FALSE(std::filesystem::exists(chunk_path()));
}

// As after a copy of the cache directory by a program that knows nothing of attributes.
TEST_F(ChunkFileTest, DataWithoutALogIsReportedAndNothingIsTouched) {
  begin("0123456789");
  write(0, "abc");
  forget_log();
  const Status loaded = try_load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, EIO);
  EXPECT_NE(loaded.error().context.find(chunk_path()), std::string::npos);
  EXPECT_EQ(test::read_file(chunk_path()).substr(0, 3), "abc");
}

TEST_F(ChunkFileTest, AFileOfFewChangesNeedsNoSecondFile) {
  begin("0123456789");
  for (int i = 0; i < 50; ++i) {
    write(2, "changed");
    flush();
    expect_kept();
  }
  fetch({0, 10});
  expect_kept();
  EXPECT_FALSE(std::filesystem::exists(map_path()));
}

TEST_F(ChunkFileTest, ALogThatGrowsGoesOnInAFile) {
  begin("0123456789");
  set_size_often(100);
  ASSERT_TRUE(std::filesystem::exists(map_path()));
  expect_kept();
}

// A clean file's log was shortened by the end of its flush, which syncs nothing here.
TEST_F(ChunkFileTest, AfterAPowerCutACleanFileWithAShortLogIsFetchedAgain) {
  begin("0123456789");
  fetch({0, 10});
  write(2, "XY");
  ASSERT_TRUE(file().sync());
  flush();
  power_cut();
  EXPECT_FALSE(file().dirty());
  EXPECT_EQ(file().missing(0, 10), (std::vector<Extent>{{0, 10}}));
  EXPECT_EQ(content(), "01XY456789");
}

TEST_F(ChunkFileTest, AfterAPowerCutWhatWasSyncedIsKeptByAShortLog) {
  begin("0123456789");
  write(2, "XY");
  ASSERT_TRUE(file().sync());
  write(8, "Z");
  power_cut();
  ASSERT_FALSE(std::filesystem::exists(map_path()));
  EXPECT_TRUE(file().dirty());
  EXPECT_EQ(content(), "01XY456789");
}

TEST_F(ChunkFileTest, ALogThatCannotBeUnderstoodIsReportedAndNothingIsTouched) {
  begin("0123456789");
  set_size_often(100);
  ASSERT_TRUE(std::filesystem::exists(map_path()));
  test::write_file(map_path(), [] {
    const Record strange = Record::of_number(static_cast<RecordType>(99), 0);
    return std::string(reinterpret_cast<const char*>(&strange), sizeof(strange));
  }());
  const Status loaded = try_load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, EIO);
  EXPECT_NE(loaded.error().context.find(map_path()), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(chunk_path()));
}

TEST_F(ChunkFileTest, TheLogStaysSmallHoweverManyChangesThereAre) {
  begin(std::string(100, 'o'));
  for (int i = 0; i < 200'000; ++i) {
    ASSERT_TRUE(file().set_size(static_cast<uint64_t>(50 + i % 50)));
  }
  struct stat found;
  ASSERT_EQ(::stat(map_path().c_str(), &found), 0);
  EXPECT_LT(found.st_size, (3 << 20) + 4096);
  expect_kept();
}

// The log is written anew in the middle of some change, whichever: that one counts like all others.
TEST_F(ChunkFileTest, EveryChangeIsKeptWhileTheLogIsWrittenAnewAgainAndAgain) {
  constexpr uint64_t kBytes = 32 << 10;
  begin(std::string(kBytes, 'o'));
  uint64_t records = 0;  // in the log, before the change
  int rewrites = 0;
  for (int i = 0; rewrites < 12; ++i) {
    ASSERT_LT(i, 40'000);
    const auto offset = static_cast<uint64_t>(i) * 37 % kBytes;
    switch (i % 5) {
      case 0:
        write(offset, "written");
        break;
      case 1:
        ASSERT_TRUE(file().set_size(kBytes / 2 + offset));
        break;
      case 2:
        fetch({offset, offset + 4096});
        break;
      case 3:
        ASSERT_TRUE(file().punch_clean(8192));
        break;
      default:
        if (i % 500 == 4) flush();
        ASSERT_TRUE(file().touch());
    }
    const uint64_t now = std::filesystem::exists(map_path()) ? std::filesystem::file_size(map_path()) : 0;
    if (now < records) {
      ++rewrites;
      expect_kept();
      ASSERT_FALSE(HasFailure()) << "change " << i;
    }
    records = now;
  }
}

TEST_F(ChunkFileTest, TheAccountFollowsWhatIsHere) {
  begin(std::string(1 << 20, 'o'));
  fetch({0, 1 << 19});
  EXPECT_GE(space().used(), 1u << 19);
  EXPECT_EQ(space().dirty(), 0u);
  write(1 << 19, std::string(5000, 'n'));
  EXPECT_EQ(space().dirty(), 5000u);
  kill();
  write((1 << 19) + 5000, "x");
  EXPECT_EQ(space().dirty(), 5001u) << "a new process goes on with the same sum";
  flush();
  EXPECT_EQ(space().dirty(), 0u);
  ASSERT_TRUE(file().set_size(0));
  EXPECT_LE(space().used(), 2u * 4096);
}

// Or else flush.max_dirty and `forebay status` would not know of them.
TEST_F(ChunkFileTest, OverwrittenPresentBytesAreBookedAsDirtyAtOnce) {
  begin(std::string(100'000, 'o'));
  fetch({0, 100'000});
  write(0, std::string(5000, 'n'));
  EXPECT_EQ(space().dirty(), 5000u);
}

TEST_F(ChunkFileTest, DataInAHoleThatWasFetchedIsBookedAsUsedAtOnce) {
  begin(std::string(1 << 20, '\0'));
  ASSERT_TRUE(file().add_present({0, 1 << 20}, nullptr));
  write(0, std::string(1 << 20, 'n'));
  EXPECT_GE(space().used(), 1u << 20);
}

}  // namespace
}  // namespace forebay::storage
