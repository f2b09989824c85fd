// Writes of a storage server, and how they get outside.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>

#include <filesystem>

#include "tests/unit/storage/reboot.h"
#include "tests/unit/storage/server_harness.h"

namespace forebay::storage {
namespace {

class ServerFlushTest : public testing::Test, protected ServerHarness {
 protected:
  // Changes the outside behind our back and hides it: the same size, mtime and ctime for us.
  void change_outside_unseen(uint64_t offset, const std::string& bytes) {
    const UniqueFd fd(::open(outside_path().c_str(), O_WRONLY));
    ASSERT_TRUE(pwrite_full(fd.get(), bytes.data(), bytes.size(), offset));
    ASSERT_TRUE(server().expect_version_change(kFile, false));
    ASSERT_TRUE(server().set_version(kFile, state().mtime0, outside_version()));
  }
};

TEST_F(ServerFlushTest, AWriteIsReadBackAndLeavesTheOutsideAlone) {
  const std::string content = random_text(2 * kChunk);
  put_outside(content);
  open();
  write(kChunk - 2, "abcd");
  EXPECT_EQ(read(kChunk - 3, 6), content.substr(kChunk - 3, 1) + "abcd" + content.substr(kChunk + 2, 1));
  EXPECT_TRUE(same_text(outside(), content));
  EXPECT_TRUE(state().dirty);
}

TEST_F(ServerFlushTest, AFlushTakesAsLongAsItsBandwidthSays) {
  constexpr uint64_t kMiB = 1 << 20;
  options().flush_bytes_per_second = 20 * kMiB;
  restart();
  put_outside("");
  open();
  write(0, random_text(5 * kMiB));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(flush(), 5 * kMiB);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(200));  // the first block goes at once
}

TEST_F(ServerFlushTest, TheFileIsMarkedDirtyOnceAndBeforeTheFirstByteChanges) {
  put_outside("0123456789");
  open();
  read(0, 10);
  meta().on_mark_dirty = [&](InodeId id) -> Status {
    EXPECT_EQ(id, kFile);
    EXPECT_FALSE(state().dirty);
    EXPECT_EQ(test::read_file(chunk_path()), "0123456789");
    return {};
  };
  write(0, "a");
  write(1, "b");
  ASSERT_TRUE(server().truncate(kFile, 5));
  EXPECT_EQ(meta().marked_dirty, 1);
}

TEST_F(ServerFlushTest, AWriteThatCannotBeMarkedDoesNotHappen) {
  put_outside("0123456789");
  open();
  meta().on_mark_dirty = [](InodeId) { return Status(fail(EIO, "database")); };
  const Status written = server().write(kFile, 0, "abc");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, EIO);
  EXPECT_FALSE(state().dirty);
  EXPECT_EQ(read_all(), "0123456789");
  // And the next one asks again.
  meta().on_mark_dirty = [](InodeId) { return Status{}; };
  write(0, "abc");
  EXPECT_EQ(meta().marked_dirty, 2);
}

TEST_F(ServerFlushTest, AfterAFlushTheNextWriteMarksItDirtyAgain) {
  put_outside("0123456789");
  open();
  write(0, "a");
  flush();
  write(0, "b");
  EXPECT_EQ(meta().marked_dirty, 2);
}

TEST_F(ServerFlushTest, AFlushMovesOnlyDirtyExtents) {
  std::string content = random_text(8 * kChunk);
  put_outside(content);
  open();
  read(0, content.size());
  write(3 * kChunk + 10, "dirty");
  change_outside_unseen(0, "UNSEEN");
  change_outside_unseen(7 * kChunk, "UNSEEN");
  EXPECT_EQ(flush(), 5u);
  content.replace(3 * kChunk + 10, 5, "dirty");
  content.replace(0, 6, "UNSEEN");
  content.replace(7 * kChunk, 6, "UNSEEN");
  EXPECT_TRUE(same_text(outside(), content));
  EXPECT_FALSE(state().dirty);
  EXPECT_EQ(space().dirty_bytes, 0u);
}

TEST_F(ServerFlushTest, AFlushGivesTheOutsideTheMtimeOfTheData) {
  put_outside("0123456789");
  open();
  write(0, "a");
  ASSERT_TRUE(server().set_mtime(kFile, {1'000'000'000, 123'456'789}));
  flush();
  EXPECT_EQ(outside_version().mtime, (FileTime{1'000'000'000, 123'456'789}));
}

TEST_F(ServerFlushTest, ACleanFilesMtimeIsTheOutsides) {
  put_outside("0123456789");
  open();
  read(0, 10);
  ASSERT_TRUE(server().set_mtime(kFile, {1'000'000'000, 0}));
  EXPECT_FALSE(state().dirty);
}

TEST_F(ServerFlushTest, AConflictIsReportedAndNothingMoves) {
  put_outside("0123456789");
  open();
  write(0, "ours");
  put_outside("theirs");
  const Result<FlushBeginReply> begun = begin_flush();
  ASSERT_TRUE(begun);
  EXPECT_TRUE(begun->conflict);
  EXPECT_EQ(outside(), "theirs");
  EXPECT_TRUE(state().dirty);
  EXPECT_EQ(space().flushed_bytes, 0u);
}

TEST_F(ServerFlushTest, ABackdatedChangeOfTheSameSizeIsAConflictToo) {
  put_outside("0123456789");
  open();
  const FileTime before = outside_version().mtime;
  write(0, "ours");
  put_outside("9876543210");
  const timespec times[2] = {{0, UTIME_OMIT}, before.to_timespec()};
  ASSERT_EQ(::utimensat(AT_FDCWD, outside_path().c_str(), times, 0), 0);
  EXPECT_TRUE(begin_flush()->conflict);
}

TEST_F(ServerFlushTest, OverwritingBringsAllOfOursOut) {
  const std::string content = random_text(2 * kChunk);
  put_outside(content);
  open();
  read(0, content.size());
  write(5, "ours");
  put_outside(random_text(3 * kChunk, 9));
  flush(true);
  std::string expected = content;
  expected.replace(5, 4, "ours");
  EXPECT_TRUE(same_text(outside(), expected)) << "clean bytes go as well, and the size";
  EXPECT_FALSE(state().dirty);
}

TEST_F(ServerFlushTest, ARevertTakesTheOutsidesVersion) {
  put_outside("0123456789");
  open();
  write(0, "ours");
  put_outside("theirs!");
  ASSERT_TRUE(server().revert(kFile, outside_version()));
  EXPECT_FALSE(state().dirty);
  EXPECT_EQ(read_all(), "theirs!");
}

TEST_F(ServerFlushTest, AFlushOfAFileThatIsGoneFails) {
  put_outside("0123456789");
  open();
  write(0, "ours");
  const ExternalRef where = ref();
  ASSERT_EQ(::unlink(outside_path().c_str()), 0);
  EXPECT_EQ(server().flush_begin({kFile, where, false}).error().code, ENOENT);
  EXPECT_TRUE(state().dirty);
  EXPECT_EQ(read(0, 4), "ours");
}

// Of a storage server that is told a path: the file may have been renamed since.
TEST_F(ServerFlushTest, AFlushOfAFileThatIsElsewhereByNowAsksWhere) {
  put_outside("0123456789");
  open();
  write(0, "ours");
  const ExternalRef old = ref(), moved{"moved", old.identity, nullptr};
  const std::string moved_path = dir() / "outside/moved";
  ASSERT_EQ(::rename(outside_path().c_str(), moved_path.c_str()), 0);
  ASSERT_EQ(::mkdir(outside_path().c_str(), 0700), 0) << "another object has its name";
  meta().on_locate = [&](InodeId) -> Result<ExternalRef> { return moved; };
  const Result<FlushBeginReply> begun = server().flush_begin({kFile, old, true});  // the rename changed its ctime
  ASSERT_TRUE(begun) << begun.error().message();
  EXPECT_TRUE(server().flush_move(kFile));
  EXPECT_TRUE(server().flush_commit({kFile, {}, {}}));
  EXPECT_EQ(test::read_file(moved_path), "ours456789");
}

TEST_F(ServerFlushTest, AWriteDuringAFlushLeavesItDirty) {
  put_outside("0123456789");
  open();
  write(0, "aaaa");
  ASSERT_TRUE(begin_flush());
  ASSERT_TRUE(server().flush_move(kFile));
  write(2, "bbbb");
  const Result<FlushCommitReply> done = server().flush_commit({kFile, {}, {}});
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->clean);
  EXPECT_EQ(outside(), "aaaa456789");
  EXPECT_TRUE(state().dirty);
  EXPECT_EQ(flush(), 4u);
  EXPECT_EQ(outside(), "aabbbb6789");
}

TEST_F(ServerFlushTest, AnAbortedFlushIsNoConflictForTheNext) {
  put_outside("0123456789");
  open();
  write(0, "aaaa");
  ASSERT_TRUE(begin_flush());
  ASSERT_TRUE(server().flush_move(kFile));
  server().flush_abort(kFile);
  EXPECT_TRUE(state().dirty);
  flush();
  EXPECT_EQ(outside(), "aaaa456789");
}

TEST_F(ServerFlushTest, AKillInTheMiddleOfAFlushIsNoConflictForTheNext) {
  put_outside("0123456789");
  open();
  write(0, "aaaa");
  ASSERT_TRUE(begin_flush());
  ASSERT_TRUE(server().flush_move(kFile));
  restart();
  EXPECT_TRUE(state().dirty);
  EXPECT_EQ(read(0, 4), "aaaa");
  flush();
  EXPECT_EQ(outside(), "aaaa456789");
}

TEST_F(ServerFlushTest, HolesStayHolesOutside) {
  put_outside("");
  open();
  write(0, "begin");
  write(8 << 20, "end");
  EXPECT_EQ(flush(), 8u);
  struct stat found;
  ASSERT_EQ(::stat(outside_path().c_str(), &found), 0);
  EXPECT_EQ(found.st_size, (8 << 20) + 3);
  EXPECT_LT(found.st_blocks, 64);
}

TEST_F(ServerFlushTest, APunchedHoleIsPunchedOutside) {
  const std::string content = random_text(4 * kChunk);
  put_outside(content);
  open();
  ASSERT_TRUE(server().allocate(kFile, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kChunk, 2 * kChunk));
  EXPECT_EQ(flush(), 0u) << "no byte moves for a hole";
  std::string expected = content;
  expected.replace(kChunk, 2 * kChunk, 2 * kChunk, '\0');
  EXPECT_TRUE(same_text(outside(), expected));
  struct stat found;
  ASSERT_EQ(::stat(outside_path().c_str(), &found), 0);
  EXPECT_LE(found.st_blocks * 512, static_cast<blkcnt_t>(2 * kChunk));
  EXPECT_TRUE(same_text(read_all(), expected));
}

TEST_F(ServerFlushTest, TruncatedExtendedAndFlushedItReadsZeros) {
  put_outside(random_text(2 * kChunk));
  const std::string head = outside().substr(0, 100);
  open();
  ASSERT_TRUE(server().truncate(kFile, 100));
  ASSERT_TRUE(server().truncate(kFile, 2 * kChunk));
  const std::string expected = head + std::string(2 * kChunk - 100, '\0');
  EXPECT_TRUE(same_text(read_all(), expected));
  flush();
  EXPECT_TRUE(same_text(outside(), expected));
  EXPECT_TRUE(same_text(read_all(), expected));
}

TEST_F(ServerFlushTest, AllocationsExtendOrKeepTheSize) {
  put_outside("0123456789");
  open();
  ASSERT_TRUE(server().allocate(kFile, FALLOC_FL_KEEP_SIZE, 0, 1000));
  EXPECT_EQ(state().size, 10u);
  ASSERT_TRUE(server().allocate(kFile, 0, 5, 10));
  EXPECT_EQ(state().size, 15u);
  EXPECT_EQ(read_all(), std::string("0123456789\0\0\0\0\0", 15));
  ASSERT_TRUE(server().allocate(kFile, FALLOC_FL_ZERO_RANGE, 8, 12));
  EXPECT_EQ(state().size, 20u);
  EXPECT_EQ(read_all(), "01234567" + std::string(12, '\0'));
  EXPECT_EQ(server().allocate(kFile, FALLOC_FL_COLLAPSE_RANGE, 0, 4096).error().code, EOPNOTSUPP);
  flush();
  EXPECT_EQ(outside(), "01234567" + std::string(12, '\0'));
}

TEST_F(ServerFlushTest, CopyOutIsTheFileAsApplicationsSeeIt) {
  const std::string content = random_text(3 * kChunk);
  put_outside(content);
  open();
  read(0, 1);
  write(kChunk, "ours");
  write(4 * kChunk, "end");
  std::string expected = content + std::string(kChunk, '\0') + "end";
  expected.replace(kChunk, 4, "ours");
  const std::string copy = dir() / "copy";
  const auto fd = std::make_shared<UniqueFd>(::open(copy.c_str(), O_WRONLY | O_CREAT, 0600));
  ASSERT_TRUE(server().copy_out(kFile, {{}, {}, fd}, server().stat_file(kFile)->size));
  EXPECT_TRUE(same_text(test::read_file(copy), expected));
  EXPECT_FALSE(server().copy_out(kFile, {{}, {}, std::make_shared<UniqueFd>(-1)}, 0));
}

TEST_F(ServerFlushTest, DropNeverTakesDirtyData) {
  put_outside(random_text(4 * kChunk));
  open();
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  write(kChunk, "ours");
  const std::string before = read_all();
  ASSERT_TRUE(server().drop(kFile, UINT64_MAX));
  EXPECT_LT(state().present_bytes, 3 * kChunk) << "clean bytes of an open file went";
  EXPECT_EQ(state().dirty_bytes, 4u);
  EXPECT_TRUE(same_text(read_all(), before));
  close();
  ASSERT_TRUE(server().drop(kFile, UINT64_MAX));
  EXPECT_TRUE(state().exists);
  EXPECT_TRUE(state().dirty);
  open();
  EXPECT_TRUE(same_text(read_all(), before));
}

TEST_F(ServerFlushTest, DropTakesTheWholeOfAClosedCleanFile) {
  put_outside(random_text(4 * kChunk));
  open();
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  close();
  EXPECT_GE(server().drop(kFile, 1).value(), 4 * kChunk);
  EXPECT_FALSE(std::filesystem::exists(chunk_path()));
  EXPECT_EQ(space().used_bytes, 0u);
  EXPECT_EQ(server().drop(kFile, UINT64_MAX).value(), 0u);
}

TEST_F(ServerFlushTest, DropTakesNothingThatTheOutsideHasNoMore) {
  const std::string content = random_text(kChunk);
  put_outside(content);
  open();
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  close();
  open();  // complete: needs nothing from outside
  ASSERT_EQ(::unlink(outside_path().c_str()), 0);
  EXPECT_FALSE(server().drop(kFile, UINT64_MAX));
  EXPECT_TRUE(same_text(read_all(), content));
}

TEST_F(ServerFlushTest, DiscardTakesDirtyDataToo) {
  put_outside("0123456789");
  open();
  write(0, "ours");
  ASSERT_TRUE(server().discard(kFile));
  EXPECT_FALSE(state().exists);
  EXPECT_EQ(space().used_bytes, 0u);
  EXPECT_EQ(space().dirty_bytes, 0u);
}

TEST_F(ServerFlushTest, ADiscardDuringAFlushEndsIt) {
  put_outside("0123456789");
  open();
  write(0, "ours");
  ASSERT_TRUE(begin_flush());
  ASSERT_TRUE(server().discard(kFile));
  EXPECT_EQ(server().flush_commit({kFile, {}, {}}).error().code, ECANCELED);
  server().flush_abort(kFile);
  EXPECT_FALSE(state().exists);
}

TEST_F(ServerFlushTest, AFullCacheThatCannotMakeRoomRefusesTheWrite) {
  put_outside("0123456789");
  options().capacity_bytes = 64 << 10;
  restart();
  open();
  EXPECT_EQ(server().write(kFile, 0, std::string(128 << 10, 'x')).error().code, ENOSPC);
  EXPECT_EQ(read_all(), "0123456789");
  meta().on_make_room = [](InodeId, uint64_t) { return Status(fail(EIO, "the flush failed")); };
  EXPECT_EQ(server().write(kFile, 0, std::string(128 << 10, 'x')).error().code, EIO) << "what stood in the way";
}

// It would seem to be empty, and what is written into it to be all there is.
TEST_F(ServerFlushTest, AFileThatAnEarlierRunKnewIsNotTakenForAnEmptyOne) {
  put_outside(random_text(64 << 10));
  open();
  restart();
  std::string buffer(10, '?');
  EXPECT_EQ(server().read(kFile, 0, buffer).error().code, EBADFD);
  EXPECT_EQ(server().write(kFile, 0, std::string("x")).error().code, EBADFD);
  EXPECT_EQ(server().truncate(kFile, 10).error().code, EBADFD);
  EXPECT_EQ(server().seek({kFile, 0, SEEK_DATA}).error().code, EBADFD);
  open();
  EXPECT_TRUE(server().write(kFile, 0, std::string("x")));
  EXPECT_EQ(server().stat_file(kFile)->size, 64u << 10);
}

TEST_F(ServerFlushTest, AFullCacheWaitsForRoom) {
  put_outside(random_text(64 << 10));
  options().capacity_bytes = 128 << 10;
  restart();
  open();
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  close();
  int rounds = 0;
  meta().on_make_room = [&](InodeId, uint64_t bytes) -> Status {
    if (bytes == 0) return {};
    ++rounds;
    return server().drop(kFile, UINT64_MAX) ? Status{} : Status(fail(EIO));
  };
  ASSERT_TRUE(server().caching_file({.id = 43}));
  ASSERT_TRUE(server().write(43, 0, std::string(100 << 10, 'x')));
  EXPECT_EQ(rounds, 1);
}

TEST_F(ServerFlushTest, SyncedWritesSurviveAPowerCut) {
  put_outside("0123456789");
  open();
  write(2, "ours");
  ASSERT_TRUE(server().sync(kFile));
  pretend_reboot(dir() / "target");
  restart();
  EXPECT_TRUE(state().dirty);
  flush();
  EXPECT_EQ(outside(), "01ours6789");
}

TEST_F(ServerFlushTest, AnOrderlyEndLosesNothingInAReboot) {
  put_outside("0123456789");
  open();
  write(2, "ours");
  server().stop();
  server().end_in_order();
  pretend_reboot(dir() / "target");
  restart();
  EXPECT_TRUE(state().dirty);
  flush();
  EXPECT_EQ(outside(), "01ours6789");
}

}  // namespace
}  // namespace forebay::storage
