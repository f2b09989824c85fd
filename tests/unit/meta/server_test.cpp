// Names and attributes: written through, with the data staying behind.
#include "meta/server.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/xattr.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/unit/meta/server_harness.h"

namespace forebay::meta {
namespace {

class MetaServerTest : public testing::Test, protected MetaHarness {};

TEST_F(MetaServerTest, ACreatedFileIsOutsideAtOnceAndItsDataIsNot) {
  const InodeId id = create("a", "hello");
  EXPECT_TRUE(is_outside("a"));
  EXPECT_EQ(outside_content("a"), "");
  EXPECT_TRUE(state(id).dirty);
  EXPECT_EQ(meta().getattr(id)->attributes.size, 5u);
  EXPECT_EQ(lookup("a").id, id);
  EXPECT_EQ(read(id), "hello");
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("a"), "hello");
  EXPECT_FALSE(state(id).dirty);
  EXPECT_TRUE(state(id).cached);
}

TEST_F(MetaServerTest, ANameThatIsNotThereIsNotFound) {
  EXPECT_EQ(lookup("missing").id, 0u);
  EXPECT_EQ(meta().unlink(root(), kRootInode, "missing").error().code, ENOENT);
  EXPECT_EQ(meta().rename(root(), kRootInode, "missing", kRootInode, "b", 0).error().code, ENOENT);
  EXPECT_EQ(meta().lookup(root(), 4711, "a").error().code, ESTALE);
}

TEST_F(MetaServerTest, CreatingExclusivelyWhatIsThereFails) {
  create("a", "");
  EXPECT_EQ(meta().create(root(), kRootInode, "a", 0644, O_WRONLY | O_EXCL).error().code, EEXIST);
}

TEST_F(MetaServerTest, AFileFromOutsideIsReadAndCached) {
  test::write_file(outside("a"), "content");
  const InodeId id = lookup("a").id;
  EXPECT_FALSE(state(id).cached);
  EXPECT_EQ(read(id), "content");
  EXPECT_TRUE(state(id).cached);
  EXPECT_EQ(meta().status().cached_files, 1u);
}

TEST_F(MetaServerTest, AChangeOutsideIsSeen) {
  test::write_file(outside("a"), "content");
  const InodeId id = lookup("a").id;
  EXPECT_EQ(read(id), "content");
  test::write_file(outside("a"), "other content");
  EXPECT_EQ(meta().getattr(id)->attributes.size, 13u);
  EXPECT_EQ(read(id), "other content");
}

TEST_F(MetaServerTest, OwnChangesKeepTheCopyValid) {
  test::write_file(outside("a"), "content");
  const InodeId id = lookup("a").id;
  EXPECT_EQ(read(id), "content");
  const uint64_t fetched = storage().space().fetched_bytes;
  SetAttributes change;
  change.set_mode = change.set_mtime = true;
  change.mode = 0600;
  change.mtime = {1'000'000'000, 5};
  ASSERT_TRUE(meta().setattr(root(), id, change));
  ASSERT_TRUE(meta().rename(root(), kRootInode, "a", kRootInode, "b", 0));
  ASSERT_TRUE(meta().link(root(), id, kRootInode, "c"));
  ASSERT_TRUE(meta().unlink(root(), kRootInode, "b"));
  const Status tagged = meta().setxattr(root(), id, "user.tag", "1", 0);
  ASSERT_TRUE(tagged || tagged.error().code == EOPNOTSUPP);
  EXPECT_TRUE(state(id).cached);
  EXPECT_EQ(read(id), "content");
  EXPECT_EQ(storage().space().fetched_bytes, fetched) << "nothing was fetched again";
  EXPECT_EQ(meta().getattr(id)->attributes.mtime, (FileTime{1'000'000'000, 5}));
}

TEST_F(MetaServerTest, OwnChangesOfADirtyFileAreNoConflict) {
  const InodeId id = create("a", "hello");
  SetAttributes change;
  change.set_mode = true;
  change.mode = 0600;
  ASSERT_TRUE(meta().setattr(root(), id, change));
  ASSERT_TRUE(meta().rename(root(), kRootInode, "a", kRootInode, "b", 0));
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("b"), "hello");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(MetaServerTest, TheMtimeOfADirtyFileGoesOutWithIt) {
  const InodeId id = create("a", "hello");
  SetAttributes change;
  change.set_mtime = true;
  change.mtime = {1'000'000'000, 123'456'789};
  ASSERT_TRUE(meta().setattr(root(), id, change));
  EXPECT_EQ(meta().getattr(id)->attributes.mtime, change.mtime);
  flush();
  struct stat found;
  ASSERT_EQ(::stat(outside("a").c_str(), &found), 0);
  EXPECT_EQ(FileTime::of(found.st_mtim), change.mtime);
}

// The flush writes outside just after utimens has set the time there.
TEST_F(MetaServerTest, AnMtimeThatIsSetDuringAFlushIsKept) {
  constexpr uint64_t kExtents = 200;
  const InodeId id = create("a", std::string(kExtents * 16, 'x'));
  std::atomic<bool> done = false;
  std::thread flushes([&] {
    while (!done) EXPECT_EQ(flush().remaining_files, 0u) << "waits for what became dirty again";
  });
  SetAttributes times;
  times.set_mtime = true;
  for (int i = 0; i < 100 && !HasFailure(); ++i) {
    for (uint64_t extent = 0; extent < kExtents; ++extent) write(id, extent * 16, "y");
    times.mtime = {1'000'000 + i, 1};
    EXPECT_EQ(meta().setattr(root(), id, times)->attributes.mtime, times.mtime);
    EXPECT_EQ(meta().getattr(id)->attributes.mtime, times.mtime);
  }
  done = true;
  flushes.join();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(meta().getattr(id)->attributes.mtime, times.mtime);
  struct stat found;
  ASSERT_EQ(::stat(outside("a").c_str(), &found), 0);
  EXPECT_EQ(FileTime::of(found.st_mtim), times.mtime);
}

TEST_F(MetaServerTest, AFlushChangesNoCtimeThatApplicationsSee) {
  const InodeId id = create("a", "hello");
  const FileTime before = meta().getattr(id)->attributes.ctime;
  flush();
  EXPECT_EQ(meta().getattr(id)->attributes.ctime, before);
}

TEST_F(MetaServerTest, TruncationIsAChangeOfDataHere) {
  test::write_file(outside("a"), "0123456789");
  const InodeId id = lookup("a").id;
  SetAttributes change;
  change.set_size = true;
  change.size = 4;
  ASSERT_TRUE(meta().setattr(root(), id, change));
  EXPECT_EQ(meta().getattr(id)->attributes.size, 4u);
  EXPECT_EQ(outside_content("a"), "0123456789");
  EXPECT_EQ(read(id), "0123");
  flush();
  EXPECT_EQ(outside_content("a"), "0123");
}

TEST_F(MetaServerTest, AnUnlinkedDirtyFileIsGoneAndNothingIsLeftToFlush) {
  const InodeId id = create("a", "hello");
  ASSERT_TRUE(meta().unlink(root(), kRootInode, "a"));
  EXPECT_FALSE(is_outside("a"));
  EXPECT_EQ(meta().status().dirty_files, 0u);
  meta().forget(id, 1);
  EXPECT_EQ(storage().space().used_bytes, 0u);
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_FALSE(is_outside("a"));
}

TEST_F(MetaServerTest, AFileThatIsUnlinkedWhileItIsOpenStaysReadable) {
  const InodeId id = create("a", "hello");
  ASSERT_TRUE(meta().open(root(), id, O_RDWR));
  ASSERT_TRUE(meta().unlink(root(), kRootInode, "a"));
  ASSERT_TRUE(storage().write(id, 5, std::string(" world")));
  std::string buffer(100, '?');
  EXPECT_EQ(storage().read(id, 0, buffer).value(), 11u);
  EXPECT_EQ(buffer.substr(0, 11), "hello world");
  EXPECT_EQ(meta().getattr(id)->attributes.size, 11u);
  meta().release(id, O_RDWR);
  meta().forget(id, 1);
  EXPECT_EQ(storage().space().used_bytes, 0u);
}

TEST_F(MetaServerTest, ARenameOverADirtyFileTakesItsData) {
  create("a", "new");
  create("b", "old and longer");
  ASSERT_TRUE(meta().rename(root(), kRootInode, "a", kRootInode, "b", 0));
  flush();
  EXPECT_EQ(outside_content("b"), "new");
  EXPECT_FALSE(is_outside("a"));
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(MetaServerTest, RenamesHonourTheirFlags) {
  create("a", "A");
  create("b", "B");
  EXPECT_EQ(meta().rename(root(), kRootInode, "a", kRootInode, "b", RENAME_NOREPLACE).error().code, EEXIST);
  ASSERT_TRUE(meta().rename(root(), kRootInode, "a", kRootInode, "b", RENAME_EXCHANGE));
  flush();
  EXPECT_EQ(outside_content("a"), "B");
  EXPECT_EQ(outside_content("b"), "A");
}

TEST_F(MetaServerTest, HardLinksShareOneCopy) {
  const InodeId id = create("a", "hello");
  EXPECT_EQ(meta().link(root(), id, kRootInode, "b")->id, id);
  EXPECT_EQ(lookup("b").id, id);
  ASSERT_TRUE(meta().unlink(root(), kRootInode, "a"));
  EXPECT_EQ(read(id), "hello");
  flush();
  EXPECT_EQ(outside_content("b"), "hello");
}

TEST_F(MetaServerTest, AListingShowsTheOutside) {
  std::set<std::string> expected{".", ".."};
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "file " + std::to_string(i);
    test::write_file(outside(name), "");
    expected.insert(name);
  }
  const uint64_t handle = meta().opendir(root(), kRootInode).value().handle;
  std::set<std::string> found;
  // As the kernel asks: a few at a time, each time from where it stopped.
  uint64_t cookie = 0;
  for (bool more = true; more;) {
    int taken = 0;
    const Status listed = meta().readdir(handle, cookie, taken % 2 == 0, [&](const DirectoryEntry& entry) {
      if (taken == 37) return false;
      ++taken;
      EXPECT_TRUE(found.emplace(entry.name).second) << entry.name;
      if (entry.entry != nullptr) meta().forget(entry.entry->id, 1);
      cookie = entry.next;
      return true;
    });
    ASSERT_TRUE(listed);
    more = taken > 0;
  }
  meta().releasedir(handle);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(meta().status().inodes_in_memory, 1u) << "what the client forgot takes no memory";
  EXPECT_EQ(meta().readdir(handle, 0, false, [](const DirectoryEntry&) { return true; }).error().code, EBADF);
}

TEST_F(MetaServerTest, PinnedFilesAreNotEvicted) {
  test::write_file(outside("a"), "content");
  const InodeId id = lookup("a").id;
  read(id);
  ASSERT_TRUE(meta().pin(id, true));
  EXPECT_EQ(meta().evict(id, true, std::chrono::minutes(1)).error().code, EBUSY);
  EXPECT_TRUE(state(id).pinned);
  ASSERT_TRUE(meta().pin(id, false));
  ASSERT_TRUE(meta().evict(id, true, std::chrono::minutes(1)));
  EXPECT_FALSE(state(id).cached);
  EXPECT_EQ(storage().space().used_bytes, 0u);
}

TEST_F(MetaServerTest, EvictingADirtyFileBringsItOutFirst) {
  const InodeId id = create("a", "hello");
  ASSERT_TRUE(meta().evict(id, true, std::chrono::minutes(1)));
  EXPECT_EQ(outside_content("a"), "hello");
  EXPECT_EQ(state(id).present_bytes, 0u);
  EXPECT_EQ(read(id), "hello");
}

TEST_F(MetaServerTest, PrefetchBringsTheWholeFile) {
  test::write_file(outside("a"), std::string(3 << 20, 'x'));
  const InodeId id = lookup("a").id;
  ASSERT_TRUE(meta().open(root(), id, O_RDONLY));
  EXPECT_EQ(meta().prefetch(id, std::chrono::minutes(1))->remaining_files, 0u);
  meta().release(id, O_RDONLY);
  EXPECT_TRUE(state(id).cached);
  EXPECT_EQ(meta().prefetch(kRootInode, std::chrono::minutes(1)).error().code, EINVAL);
}

class LooksThatCount : public MetaServerTest {
 protected:
  LooksThatCount() {
    stop();
    config().consistency.validate = Validate::kTtl;
    config().consistency.attr_ttl = std::chrono::seconds(10);
    start();
  }
};

// A look that began before a change of ours, and ends just after it, must not be taken for a newer one.
TEST_F(LooksThatCount, AChangeIsAnsweredWithWhatItMadeWhoeverLooksMeanwhile) {
  ASSERT_EQ(::mkdir(outside("d").c_str(), 0755), 0);
  const InodeId id = lookup("d").id;
  std::atomic<bool> done{false};
  std::vector<std::thread> lookers;
  for (int i = 0; i < 4; ++i) {
    lookers.emplace_back([&] {
      while (!done) meta().forget(lookup("d").id, 1);
    });
  }
  constexpr int kChanges = 100'000;
  int wrong = 0;
  for (int i = 0; i < kChanges; ++i) {
    SetAttributes change;
    change.set_mode = true;
    change.mode = i % 2 == 0 ? 0700 : 0755;
    const Result<AttributesReply> made = meta().setattr(root(), id, change);
    if (!made || (made->attributes.mode & 07777) != change.mode) ++wrong;
  }
  done = true;
  for (std::thread& looker : lookers) looker.join();
  EXPECT_EQ(wrong, 0) << "of " << kChanges;
}

}  // namespace
}  // namespace forebay::meta
