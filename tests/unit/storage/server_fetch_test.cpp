// Reads of a storage server: what is missing comes from outside, and only that.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <future>
#include <thread>

#include "tests/unit/storage/reboot.h"
#include "tests/unit/storage/server_harness.h"

namespace forebay::storage {
namespace {

class ServerFetchTest : public testing::Test, protected ServerHarness {
 protected:
  // From now on every fetch comes by here before it reads: the target holds something, and that is above this mark.
  void stop_at_each_fetch(std::function<void()> visit) {
    options().high_watermark_bytes = 0;
    restart();
    meta().on_make_room = [visit = std::move(visit)](InodeId, uint64_t) {
      visit();
      return Status{};
    };
  }
};

TEST_F(ServerFetchTest, AReadOfMissingBytesFetchesTheirChunkAlone) {
  const std::string content = random_text(10 * kChunk);
  put_outside(content);
  const ChunkState opened = open();
  EXPECT_EQ(opened.size, content.size());
  EXPECT_FALSE(opened.complete);
  EXPECT_TRUE(same_text(read(3 * kChunk + 100, 50), content.substr(3 * kChunk + 100, 50)));
  EXPECT_EQ(space().fetched_bytes, kChunk);
  EXPECT_EQ(state().present_bytes, kChunk);
  EXPECT_TRUE(same_text(read(5 * kChunk - 10, 20), content.substr(5 * kChunk - 10, 20))) << "over a border of two";
  EXPECT_EQ(space().fetched_bytes, 3 * kChunk);
}

TEST_F(ServerFetchTest, AHitMovesNothing) {
  put_outside(random_text(kChunk));
  open();
  read(0, 100);
  EXPECT_EQ(space().misses, 1u);
  EXPECT_EQ(space().hits, 0u);
  read(kChunk - 100, 100);
  EXPECT_EQ(space().misses, 1u);
  EXPECT_EQ(space().hits, 1u);
  EXPECT_EQ(space().fetched_bytes, kChunk);
}

// What is missing comes through a descriptor that the last close ends.
TEST_F(ServerFetchTest, OfAFileThatIsNotOpenNothingIsFetched) {
  const std::string content = random_text(10 * kChunk);
  put_outside(content);
  open();
  read(0, 100);
  close();
  EXPECT_TRUE(same_text(read(0, 100), content.substr(0, 100)));
  std::string buffer(100, '?');
  EXPECT_EQ(server().read(kFile, kChunk, buffer).error().code, EBADFD);
  EXPECT_EQ(server().seek({kFile, 0, SEEK_HOLE}).error().code, EBADFD);
}

TEST_F(ServerFetchTest, HandlesThatAreToldAgainAreCountedOnce) {
  put_outside(random_text(10 * kChunk));
  open();
  ASSERT_TRUE(try_open(false, kChunk, 2));
  close();
  read(0, 100);
  close();
  std::string buffer(100, '?');
  EXPECT_EQ(server().read(kFile, kChunk, buffer).error().code, EBADFD);
}

TEST_F(ServerFetchTest, ReadsEndAtTheEndOfTheFile) {
  put_outside("0123456789");
  open();
  EXPECT_TRUE(same_text(read(4, 100), "456789"));
  EXPECT_TRUE(same_text(read(10, 100), ""));
  EXPECT_TRUE(same_text(read(1000, 100), ""));
}

TEST_F(ServerFetchTest, TheLastChunkMakesItCompleteAndSaysSoOnce) {
  put_outside(random_text(2 * kChunk + 1));
  open();
  read(0, 1);
  read(2 * kChunk, 1);
  EXPECT_EQ(meta().completed, 0);
  read(kChunk, 1);
  EXPECT_EQ(meta().completed, 1);
  EXPECT_TRUE(state().complete);
  read(0, 3 * kChunk);
  EXPECT_EQ(meta().completed, 1);
}

TEST_F(ServerFetchTest, FetchAllBringsEverything) {
  const std::string content = random_text(5 * kChunk + 77);
  put_outside(content);
  open();
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  EXPECT_TRUE(state().complete);
  EXPECT_EQ(space().fetched_bytes, content.size());
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  EXPECT_EQ(space().fetched_bytes, content.size());
  EXPECT_TRUE(same_text(read_all(), content));
}

TEST_F(ServerFetchTest, FetchAllWithoutTimeSaysThatItIsNotDone) {
  put_outside(random_text(kChunk));
  open();
  const Status fetched = server().fetch_all(kFile, std::chrono::milliseconds(0));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, EINPROGRESS);
}

TEST_F(ServerFetchTest, HolesStayHoles) {
  put_outside("");
  ASSERT_EQ(::truncate(outside_path().c_str(), 16 << 20), 0);
  {
    const UniqueFd fd(::open(outside_path().c_str(), O_WRONLY));
    ASSERT_TRUE(pwrite_full(fd.get(), "data", 4, 8 << 20));
  }
  open();
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  EXPECT_TRUE(same_text(read((8 << 20) - 2, 8), std::string("\0\0data\0\0", 8)));
  EXPECT_LT(state().blocks * 512, 64u << 10);
  EXPECT_LT(space().fetched_bytes, 64u << 10);
  EXPECT_TRUE(state().complete);
}

TEST_F(ServerFetchTest, WhatIsHereIsHereForTheNextProcess) {
  const std::string content = random_text(2 * kChunk);
  put_outside(content);
  open();
  read(0, 1);
  restart();
  const ChunkState opened = open();
  EXPECT_EQ(opened.present_bytes, kChunk);
  EXPECT_TRUE(same_text(read(0, kChunk), content.substr(0, kChunk)));
  EXPECT_EQ(space().fetched_bytes, 0u);
}

TEST_F(ServerFetchTest, ACopyOfAnotherVersionIsDroppedAtTheOpen) {
  put_outside(random_text(kChunk, 1));
  open();
  read(0, 1);
  close();
  const std::string content = random_text(kChunk, 2);
  put_outside(content);
  EXPECT_EQ(open().present_bytes, 0u);
  EXPECT_TRUE(same_text(read_all(), content));
}

TEST_F(ServerFetchTest, AChangeThatIsSeenWhileOpenDropsTheCopy) {
  put_outside(random_text(kChunk, 1));
  open();
  read(0, 1);
  EXPECT_FALSE(server().outside_changed(kFile, outside_version()).value());
  const std::string content = random_text(100, 2);
  put_outside(content);
  EXPECT_TRUE(server().outside_changed(kFile, outside_version()).value());
  EXPECT_TRUE(same_text(read_all(), content));
}

TEST_F(ServerFetchTest, AnOwnChangeOfTheVersionKeepsTheCopy) {
  put_outside(random_text(kChunk));
  open();
  read(0, 1);
  ASSERT_TRUE(server().expect_version_change(kFile, false));
  ASSERT_EQ(::chmod(outside_path().c_str(), 0640), 0);
  EXPECT_FALSE(server().outside_changed(kFile, outside_version()).value()) << "it is ours";
  ASSERT_TRUE(server().set_version(kFile, state().mtime0, outside_version()));
  close();
  EXPECT_EQ(open().present_bytes, kChunk);
}

TEST_F(ServerFetchTest, TwoReadersOfOneChunkShareOneFetch) {
  const std::string content = random_text(kChunk);
  put_outside(content);
  open();
  write(kChunk + 5000, "something here already");
  std::mutex mutex;
  std::condition_variable changed;
  int fetches = 0;
  bool go_on = false;
  stop_at_each_fetch([&] {
    std::unique_lock lock(mutex);
    ++fetches;
    changed.notify_all();
    changed.wait(lock, [&] { return go_on; });
  });
  open();

  std::thread first([&] { EXPECT_TRUE(same_text(read(100, 200), content.substr(100, 200))); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return fetches == 1; });
  }
  std::atomic<pid_t> waiting{0};
  std::thread second([&] {
    waiting = ::gettid();
    EXPECT_TRUE(same_text(read(5000, 200), content.substr(5000, 200)));
  });
  // Until the second one sleeps, which it does nowhere but behind the first one's fetch.
  for (std::string state; state != "S";) {
    std::string ignored;
    if (waiting != 0)
      std::ifstream(fmt::format("/proc/self/task/{}/stat", waiting.load())) >> ignored >> ignored >> state;
    std::this_thread::yield();
  }
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(fetches, 1);
    go_on = true;
  }
  changed.notify_all();
  first.join();
  second.join();
  EXPECT_EQ(fetches, 1);
  EXPECT_EQ(space().fetched_bytes, kChunk);
}

TEST_F(ServerFetchTest, AChangeOutsideDuringAFetchBeginsItAgain) {
  put_outside(random_text(3 * kChunk, 1));
  open();
  read(2 * kChunk, 1);
  const std::string content = random_text(2 * kChunk, 2);
  bool changed = false;
  stop_at_each_fetch([&] {
    if (!std::exchange(changed, true)) put_outside(content);
  });
  open();
  EXPECT_TRUE(same_text(read(0, 3 * kChunk), content))
      << "nothing of the old version, and no more than the new one has";
  EXPECT_TRUE(changed);
  EXPECT_EQ(meta().revalidated, 1);
  EXPECT_EQ(meta().replaced, 1);
  EXPECT_EQ(state().mtime0, outside_version());
}

TEST_F(ServerFetchTest, WhoBeginsToReadWaitsForLittle) {
  constexpr uint64_t kLargeChunk = 1 << 20;
  options().chunk_size_bytes = kLargeChunk;
  restart();
  const std::string content = random_text(3 * kLargeChunk);
  put_outside(content);
  open(kLargeChunk);
  EXPECT_TRUE(same_text(read(kLargeChunk + 200'000, 10), content.substr(kLargeChunk + 200'000, 10)));
  EXPECT_EQ(state().present_bytes, 128U << 10);
  // Who reads on is served best with whole chunks.
  EXPECT_TRUE(same_text(read(kLargeChunk + 200'010, 100'000), content.substr(kLargeChunk + 200'010, 100'000)));
  EXPECT_EQ(state().present_bytes, kLargeChunk);
  EXPECT_TRUE(same_text(read(0, 10), content.substr(0, 10)));
  EXPECT_EQ(state().present_bytes, kLargeChunk + (128U << 10)) << "a jump is a new beginning";
  EXPECT_TRUE(same_text(read(0, content.size()), content));
}

TEST_F(ServerFetchTest, AFileOfOneChunkComesWithOneRead) {
  options().chunk_size_bytes = 1 << 20;
  restart();
  put_outside(random_text(900'000));
  open(1 << 20);
  read(0, 10);
  EXPECT_EQ(state().present_bytes, 900'000U);
}

TEST_F(ServerFetchTest, AReadThatWaitsForTheOutsideIsKnown) {
  using Clock = std::chrono::steady_clock;
  put_outside(random_text(2 * kChunk));
  open();
  read(kChunk, 1);
  const auto before = Clock::now();
  bool looked = false;
  stop_at_each_fetch([&] {
    if (std::exchange(looked, true)) return;
    EXPECT_FALSE(server().await_reads(kFile, Clock::now(), std::chrono::milliseconds(1)));
    EXPECT_TRUE(server().await_reads(kFile, before, std::chrono::milliseconds(0))) << "it began to wait later";
  });
  open();
  EXPECT_TRUE(server().await_reads(kFile, Clock::now(), std::chrono::milliseconds(0)));
  read(0, 1);
  EXPECT_TRUE(looked);
  EXPECT_TRUE(server().await_reads(kFile, Clock::now(), std::chrono::milliseconds(0)));
}

// A look at the outside for each chunk would cost a round trip each.
TEST_F(ServerFetchTest, WhatChangedSinceTheLastLookIsFoundWhenTheFileIsComplete) {
  options().recheck = std::chrono::hours(1);
  restart();
  put_outside(random_text(2 * kChunk, 1));
  open();
  read(0, 1);
  const std::string content = random_text(2 * kChunk, 2);
  put_outside(content);
  EXPECT_TRUE(same_text(read(kChunk, kChunk), content.substr(kChunk)));
  EXPECT_EQ(meta().completed, 0) << "the first chunk was of the old version";
  EXPECT_TRUE(same_text(read(0, 2 * kChunk), content));
  EXPECT_EQ(meta().completed, 1);
  EXPECT_EQ(meta().revalidated, 1);
  EXPECT_EQ(state().mtime0, outside_version());
}

// Not what the last fetch left in the buffer.
TEST_F(ServerFetchTest, WhatWasCutOffOutsideUnderADirtyFileReadsAsZeros) {
  const std::string content = random_text(3 * kChunk);
  put_outside(content);
  open();
  read(0, 1);
  write(0, "x");
  ASSERT_EQ(::truncate(outside_path().c_str(), kChunk + kChunk / 2), 0);
  EXPECT_TRUE(same_text(read(kChunk, kChunk), content.substr(kChunk, kChunk / 2) + std::string(kChunk / 2, '\0')));
}

TEST_F(ServerFetchTest, AFileThatNeverRestsIsReadAllTheSame) {
  put_outside(random_text(kChunk, 1));
  open();
  write(kChunk * 3, "something here");
  ASSERT_TRUE(server().discard(kFile));
  close();
  unsigned version = 1;
  // Some other file makes the target's sum larger than the mark.
  ASSERT_TRUE(server().caching_file({.id = 43}));
  ASSERT_TRUE(server().write(43, 0, std::string("x")));
  stop_at_each_fetch([&] { put_outside(random_text(kChunk, ++version)); });
  open();
  const std::string found = read(0, kChunk);
  EXPECT_TRUE(same_text(found, random_text(kChunk, version)));
  EXPECT_GT(version, 3u);
}

TEST_F(ServerFetchTest, WhatDoesNotFitIsReadThrough) {
  const std::string content = random_text(20 * kChunk);
  put_outside(content);
  options().capacity_bytes = kChunk / 2;
  restart();
  open();
  EXPECT_TRUE(same_text(read(7 * kChunk, kChunk), content.substr(7 * kChunk, kChunk)));
  EXPECT_EQ(state().present_bytes, 0u);
  EXPECT_EQ(space().used_bytes, 0u);
}

TEST_F(ServerFetchTest, AnErrorOfMakingRoomIsTheReadersError) {
  put_outside(random_text(20 * kChunk));
  options().capacity_bytes = kChunk / 2;
  restart();
  meta().on_make_room = [](InodeId, uint64_t) { return Status(fail(EIO, "the outside is gone")); };
  open();
  char byte;
  const Result<size_t> bytes = server().read(kFile, 0, std::span(&byte, 1));
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, EIO);
}

TEST_F(ServerFetchTest, AFileThatIsNotThereCannotBeOpened) {
  put_outside("here");
  CachingFileRequest request;
  request.id = kFile;
  request.source = ref();
  request.version = outside_version();
  ASSERT_EQ(::unlink(outside_path().c_str()), 0);
  EXPECT_EQ(server().caching_file(request).error().code, ENOENT);
  // Another object at its place, which can't have the number of the first while that is open.
  put_outside("first");
  const UniqueFd first(::open(outside_path().c_str(), O_RDONLY));
  request.source = ref();
  ASSERT_EQ(::unlink(outside_path().c_str()), 0);
  put_outside("another");
  EXPECT_EQ(server().caching_file(request).error().code, ESTALE);
}

TEST_F(ServerFetchTest, AnOpenFileIsReadableAfterItsUnlinkOutside) {
  const std::string content = random_text(3 * kChunk);
  put_outside(content);
  open();
  read(0, 1);
  ASSERT_EQ(::unlink(outside_path().c_str()), 0);
  // Its link count changed its ctime, which is our own doing.
  EXPECT_TRUE(same_text(read(0, kChunk), content.substr(0, kChunk)));
}

TEST_F(ServerFetchTest, BackgroundThreadsBringTheRest) {
  const std::string content = random_text(20 * kChunk + 5);
  put_outside(content);
  options().fetch.streams = 2;
  restart();
  open();
  server().start_fetch(kFile, 0);
  while (meta().completed == 0) std::this_thread::yield();
  EXPECT_TRUE(same_text(read_all(), content));
  EXPECT_EQ(space().fetched_bytes, content.size()) << "each chunk once";
  EXPECT_EQ(space().misses, 0u);
}

TEST_F(ServerFetchTest, AfterAPowerCutTheAccountIsCountedAnew) {
  put_outside(random_text(4 * kChunk));
  open();
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  write(0, "dirty");
  ASSERT_TRUE(server().sync(kFile));
  const uint64_t used = space().used_bytes;
  {
    const UniqueFd fd(::open((dir() / "target/space").c_str(), O_RDWR));
    const uint64_t wrong[2] = {1, 1};
    ASSERT_TRUE(pwrite_full(fd.get(), reinterpret_cast<const char*>(wrong), sizeof(wrong), 8));
  }
  pretend_reboot(dir() / "target");
  restart();
  EXPECT_NEAR(static_cast<double>(space().used_bytes), static_cast<double>(used), 8192);
  EXPECT_EQ(space().dirty_bytes, 5u);
}

// What a power cut took must stay taken, also when the file is first used two starts later.
TEST_F(ServerFetchTest, APowerCutIsNotForgottenByARestartThatDoesNotUseTheFile) {
  put_outside(random_text(2 * kChunk));
  open();
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));  // and nothing is synced
  pretend_reboot(dir() / "target");
  restart();
  restart();
  EXPECT_EQ(state().present_bytes, 0u);
}

// The metadata server, which evicts, ends before the fetchers do.
TEST(ServerStop, DoesNotWaitForRoomThatNobodyMakesAnyMore) {
  ServerHarness harness(1);
  harness.options().capacity_bytes = kChunk / 2;
  harness.options().fetch.readahead_bytes = 4 * kChunk;
  harness.restart();
  std::promise<void> asked;
  std::atomic<bool> told{false};
  harness.meta().on_make_room = [&](InodeId, uint64_t) {
    if (!told.exchange(true)) asked.set_value();
    return Status{};
  };
  harness.put_outside(random_text(kChunk));
  harness.open();
  harness.server().start_fetch(kFile, 0);
  asked.get_future().wait();
  harness.server().stop();
}

}  // namespace
}  // namespace forebay::storage
