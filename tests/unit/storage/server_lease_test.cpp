// Leases of a chunk file: what their holders write is found, whatever happens in between, and nothing is taken from
// them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <filesystem>

#include "storage/lease_probe.h"
#include "tests/unit/storage/reboot.h"
#include "tests/unit/storage/server_harness.h"

namespace forebay::storage {
namespace {

constexpr uint64_t kSumBlock = BlockSums::kBlockBytes;

class ServerLeaseTest : public testing::Test, protected ServerHarness {
 protected:
  // As the kernel has it for an application: an open file of its own.
  class Holder {
   public:
    Holder(ServerLeaseTest& test, bool writes) : test_(test), life_(test.life_) {
      const Result<UniqueFd> lent = test.server().lease({kFile, writes});
      EXPECT_TRUE(lent) << lent.error().message();
      if (!lent) return;
      fd_.reset(::open(fmt::format("/proc/self/fd/{}", lent->get()).c_str(), (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC));
    }
    ~Holder() {
      fd_.reset();
      if (life_ == test_.life_) test_.server().end_lease(kFile);
    }
    void write(uint64_t offset, const std::string& data) {
      ASSERT_TRUE(pwrite_full(fd_.get(), data.data(), data.size(), offset));
    }
    std::string read(uint64_t offset, size_t length) {
      std::string buffer(length, '?');
      buffer.resize(pread_full(fd_.get(), buffer.data(), length, offset).value_or(0));
      return buffer;
    }
    int fd() const { return fd_.get(); }

   private:
    ServerLeaseTest& test_;
    const int life_;  // a server that was killed knows of no lease
    UniqueFd fd_;
  };

  void kill() {
    ++life_;
    restart();
  }
  std::string put_here(size_t bytes) {
    const std::string content = random_text(bytes);
    put_outside(content);
    open();
    read_all();
    EXPECT_TRUE(state().complete);
    return content;
  }

 private:
  int life_ = 1;
};

TEST_F(ServerLeaseTest, OnlyAFileThatIsAllHereIsLent) {
  put_outside(random_text(3 * kChunk));
  open();
  read(0, 10);
  for (const bool writes : {false, true}) {
    const Result<UniqueFd> lent = server().lease({kFile, writes, false});
    ASSERT_FALSE(lent);
    EXPECT_EQ(lent.error().code, EAGAIN);
  }
  EXPECT_FALSE(state().dirty);
}

TEST_F(ServerLeaseTest, AWriteIsAnnouncedBeforeItCanHappenAndReportedWhenItDid) {
  put_here(100);
  Holder holder(*this, true);
  EXPECT_EQ(meta().marked_dirty, 1);
  EXPECT_FALSE(state().dirty);
  EXPECT_TRUE(state().leased);
  EXPECT_EQ(meta().changed, 0);
  holder.write(98, "abcd");
  EXPECT_TRUE(state().dirty);
  EXPECT_EQ(state().size, 102u);
  EXPECT_EQ(meta().changed, 1);
  holder.write(0, "x");
  EXPECT_TRUE(state().dirty);
  EXPECT_EQ(meta().changed, 1) << "once is enough until the next flush";
}

TEST_F(ServerLeaseTest, AFlushMovesTheBlocksThatChanged) {
  std::string content = put_here(10 * kSumBlock + 5);
  Holder holder(*this, true);
  holder.write(3 * kSumBlock + 7, "three");
  holder.write(10 * kSumBlock + 4, "the end");
  content.replace(3 * kSumBlock + 7, 5, "three");
  content.replace(10 * kSumBlock + 4, 1, "the end");
  EXPECT_EQ(flush(), kSumBlock + 11);
  EXPECT_TRUE(same_text(outside(), content));
  EXPECT_FALSE(state().dirty);
  EXPECT_EQ(flush(), 0u);
  // The same bytes again are a change that need not go out; back and forth is one that must.
  holder.write(3 * kSumBlock + 7, "three");
  EXPECT_TRUE(state().dirty);
  EXPECT_EQ(flush(), 0u);
  holder.write(3 * kSumBlock + 7, "seven");
  EXPECT_EQ(flush(), kSumBlock);
  EXPECT_EQ(outside().substr(3 * kSumBlock + 7, 5), "seven");
}

TEST_F(ServerLeaseTest, AWriteDuringAFlushLeavesTheFileDirty) {
  std::string content = put_here(4 * kSumBlock);
  Holder holder(*this, true);
  holder.write(0, "first");
  ASSERT_TRUE(begin_flush());
  ASSERT_TRUE(server().flush_move(kFile));
  holder.write(0, "later");
  const Result<FlushCommitReply> done = server().flush_commit({kFile, {}, {}});
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->clean);
  EXPECT_TRUE(state().dirty);
  EXPECT_GE(meta().changed, 1);
  flush();
  EXPECT_EQ(outside().substr(0, 5), "later");
  EXPECT_FALSE(state().dirty);
}

// Its bytes may come when the flush has passed their place.
TEST_F(ServerLeaseTest, AFlushDoesNotTrustTheMtimeOfADirectWrite) {
  put_here(4 * kSumBlock);
  ASSERT_TRUE(server().lease({kFile, true, false, false, true}));
  {
    Holder holder(*this, true);
    holder.write(0, "ours");
    EXPECT_EQ(flush(), kSumBlock);
    EXPECT_TRUE(state().dirty);
  }
  server().end_lease(kFile);
  EXPECT_EQ(flush(), 0u);
  EXPECT_FALSE(state().dirty) << "nobody has it open any more";
}

TEST_F(ServerLeaseTest, OwnWritesAndTruncationsStandBesideThoseOfHolders) {
  std::string content = put_here(4 * kSumBlock);
  Holder holder(*this, true);
  holder.write(kSumBlock, "theirs");
  write(2 * kSumBlock, "ours");
  ASSERT_TRUE(server().truncate(kFile, 3 * kSumBlock));
  holder.write(3 * kSumBlock, "grown");
  content.replace(kSumBlock, 6, "theirs").replace(2 * kSumBlock, 4, "ours").replace(3 * kSumBlock, kSumBlock, "grown");
  EXPECT_TRUE(same_text(read_all(), content));
  flush();
  EXPECT_TRUE(same_text(outside(), content));
  EXPECT_FALSE(state().dirty);
}

// A block that is made shorter and grows again by the same bytes is not what the outside has.
TEST_F(ServerLeaseTest, BytesThatATruncationTookGoOutAgain) {
  const std::string content = put_here(kSumBlock);
  Holder holder(*this, true);
  ASSERT_TRUE(server().truncate(kFile, 100));
  ASSERT_TRUE(server().truncate(kFile, kSumBlock));
  flush();
  EXPECT_EQ(outside().substr(100), std::string(kSumBlock - 100, '\0'));
  holder.write(0, content);
  flush();
  EXPECT_TRUE(same_text(outside(), content));
}

TEST_F(ServerLeaseTest, WhatHoldersWroteIsDirtyAfterAKill) {
  std::string content = put_here(4 * kSumBlock);
  {
    Holder holder(*this, true);
    holder.write(kSumBlock, "theirs");
    kill();  // without having looked
  }
  content.replace(kSumBlock, 6, "theirs");
  open();
  EXPECT_TRUE(state().dirty);
  EXPECT_TRUE(same_text(read_all(), content));
  flush();
  EXPECT_TRUE(same_text(outside(), content));
}

TEST_F(ServerLeaseTest, WhatWasFlushedIsNotDirtyAfterAKill) {
  put_here(4 * kSumBlock);
  {
    Holder holder(*this, true);
    holder.write(kSumBlock, "theirs");
    flush();
    kill();
  }
  open();
  EXPECT_FALSE(state().dirty);
}

TEST_F(ServerLeaseTest, AKillAfterAFlushThatFailedKeepsWhatWasWritten) {
  std::string content = put_here(4 * kSumBlock);
  {
    Holder holder(*this, true);
    holder.write(kSumBlock, "theirs");
    ASSERT_TRUE(begin_flush());
    server().flush_abort(kFile);
    EXPECT_TRUE(state().dirty);
    kill();
  }
  open();
  EXPECT_TRUE(state().dirty);
  flush();
  EXPECT_EQ(outside().substr(kSumBlock, 6), "theirs");
}

TEST_F(ServerLeaseTest, AKillInTheMiddleOfAFlushKeepsWhatWasWritten) {
  std::string content = put_here(4 * kSumBlock);
  {
    Holder holder(*this, true);
    holder.write(kSumBlock, "theirs");
    ASSERT_TRUE(begin_flush());
    kill();
  }
  open();
  EXPECT_TRUE(state().dirty);
  flush();
  EXPECT_EQ(outside().substr(kSumBlock, 6), "theirs");
}

// Of data that was not synced the disk may have part, and an mtime that does not tell.
TEST_F(ServerLeaseTest, AfterAPowerCutALentFileIsDirty) {
  put_here(4 * kSumBlock);
  {
    Holder holder(*this, true);
    ASSERT_TRUE(server().sync(kFile));
    pretend_reboot(options().target_directory);
    kill();
  }
  open();
  EXPECT_TRUE(state().dirty);
}

TEST_F(ServerLeaseTest, SettlesWhenNobodyCanWriteAnyMore) {
  put_here(kSumBlock);
  void* memory = MAP_FAILED;
  {
    Holder holder(*this, true);
    EXPECT_EQ(server().settle(kFile).value().settled, Settled::kUnchanged);
    memory = ::mmap(nullptr, kSumBlock, PROT_READ | PROT_WRITE, MAP_SHARED, holder.fd(), 0);
    ASSERT_NE(memory, MAP_FAILED);
  }
  EXPECT_EQ(server().settle(kFile).value().settled, Settled::kUnchanged) << "the mapping is left";
  static_cast<char*>(memory)[0] = '!';
  EXPECT_EQ(server().settle(kFile).value().settled, Settled::kNewer);
  flush();
  EXPECT_EQ(outside()[0], '!');
  ::munmap(memory, kSumBlock);
  EXPECT_EQ(server().settle(kFile).value().settled, Settled::kClean);
  EXPECT_FALSE(state().leased);
  write(0, "x");
  EXPECT_EQ(meta().marked_dirty, 2) << "the next write is announced again";
}

TEST_F(ServerLeaseTest, NoByteLeavesAFileThatIsLent) {
  const std::string content = put_here(4 * kSumBlock);
  {
    Holder reader(*this, false);
    EXPECT_EQ(server().drop(kFile, UINT64_MAX).value(), 0u);
    close();
    EXPECT_EQ(server().drop(kFile, UINT64_MAX).value(), 0u);
    EXPECT_TRUE(same_text(reader.read(0, 5 * kSumBlock), content));
  }
  EXPECT_GE(server().drop(kFile, UINT64_MAX).value(), 4 * kSumBlock);
  EXPECT_FALSE(std::filesystem::exists(chunk_path()));
}

// What was written through a lease that is over is as dirty as anything else.
TEST_F(ServerLeaseTest, UnflushedWritesAreNotDroppedAfterTheLease) {
  put_here(4 * kSumBlock);
  {
    Holder holder(*this, true);
    holder.write(kSumBlock, "theirs");
  }
  EXPECT_EQ(server().settle(kFile).value().settled, Settled::kNewer);
  EXPECT_EQ(server().drop(kFile, UINT64_MAX).value(), 0u);
  EXPECT_EQ(read(kSumBlock, 6), "theirs");
}

TEST_F(ServerLeaseTest, AReaderOfAFileThatChangedOutsideSeesOldBytesOrNewOnes) {
  const std::string old = put_here(4 * kSumBlock);
  Holder reader(*this, false);
  const std::string changed = random_text(3 * kSumBlock, 7);
  put_outside(changed);
  ASSERT_TRUE(server().outside_changed(kFile, outside_version()).value());
  EXPECT_TRUE(same_text(reader.read(0, 5 * kSumBlock), old.substr(0, 3 * kSumBlock)));
  EXPECT_TRUE(same_text(read(0, 5 * kSumBlock), changed));
  EXPECT_TRUE(same_text(reader.read(0, 5 * kSumBlock), changed));
}

TEST_F(ServerLeaseTest, HolesOutsideComeOverOldBytes) {
  put_here(4 * kSumBlock);
  Holder reader(*this, false);
  put_outside("");
  std::filesystem::resize_file(outside_path(), 6 * kSumBlock);
  ASSERT_TRUE(server().outside_changed(kFile, outside_version()).value());
  EXPECT_EQ(read_all(), std::string(6 * kSumBlock, '\0'));
  EXPECT_EQ(reader.read(0, 7 * kSumBlock), std::string(6 * kSumBlock, '\0'));
}

TEST_F(ServerLeaseTest, AChangeOutsideDoesNotTouchAFileThatMayBeWritten) {
  const std::string old = put_here(kSumBlock);
  Holder holder(*this, true);
  put_outside(random_text(kSumBlock, 7));
  EXPECT_FALSE(server().outside_changed(kFile, outside_version()).value());
  EXPECT_TRUE(same_text(read_all(), old));
}

TEST_F(ServerLeaseTest, WritersNeedHeadroomUnlessTheyArePaced) {
  options().lease_headroom_bytes = 65 << 20;  // more than all
  restart();
  put_here(kSumBlock);
  EXPECT_EQ(server().lease({kFile, true}).error().code, EAGAIN);
  EXPECT_EQ(meta().marked_dirty, 0);
  EXPECT_TRUE(server().lease({kFile, true, true}));
  server().end_lease(kFile);
  EXPECT_TRUE(server().lease({kFile, false}));
  server().end_lease(kFile);
}

TEST_F(ServerLeaseTest, AnMtimeThatIsSetHidesNoWrite) {
  put_here(kSumBlock);
  Holder holder(*this, true);
  holder.write(0, "first");
  struct stat before;
  ASSERT_EQ(::fstat(holder.fd(), &before), 0);
  ASSERT_TRUE(state().dirty);
  flush();
  holder.write(0, "later");
  ASSERT_TRUE(server().set_mtime(kFile, FileTime::of(before.st_mtim)));
  EXPECT_TRUE(state().dirty);
  flush();
  EXPECT_EQ(outside().substr(0, 5), "later");
}

TEST(LeaseProbe, TrustsAFileSystemThatTells) {
  const test::TempDir dir;
  const Status probed = probe_leases(dir.path());
  EXPECT_TRUE(probed) << probed.error().message();
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

// Stores into a mapping do not show in the mtime there.
TEST(LeaseProbe, DistrustsTmpfs) {
  const Status probed = probe_leases("/dev/shm");
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().code, ENOTSUP) << probed.error().message();
}

}  // namespace
}  // namespace forebay::storage
