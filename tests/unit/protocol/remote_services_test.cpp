// The remote stubs, as a client has them, over both kinds of sockets.
#include <sys/xattr.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "core/io.h"
#include "tests/support/files.h"
#include "tests/unit/protocol/remote_services_harness.h"

namespace forebay {
namespace {

INSTANTIATE_TEST_SUITE_P(Sockets, RemoteServicesTest, testing::Values(Over::kUnix, Over::kTcp), name_of_sockets);

TEST_P(RemoteServicesTest, WhatIsWrittenIsReadAndFoundAgain) {
  // More than one message carries.
  const std::string content = test::noise(transport::kMostBulkBytes + 3 * test::kMiB + 7);
  const InodeId id = create("file", content);
  EXPECT_TRUE(read(id, content.size() + 100) == content);
  std::string middle(1000, '?');
  EXPECT_EQ(storage().read(id, 12'345, middle).value_or(0), middle.size());
  EXPECT_EQ(middle, content.substr(12'345, middle.size()));
  EXPECT_EQ(storage().read(id, content.size(), middle).value_or(1), 0u);
  meta().release(id, O_RDWR);
  const Result<EntryReply> entry = meta().lookup(root_, kRootInode, "file");
  ASSERT_TRUE(entry) << entry.error().message();
  EXPECT_EQ(entry->id, id);
  EXPECT_EQ(entry->attributes.size, content.size());
  EXPECT_EQ(entry->attributes.mode, static_cast<mode_t>(S_IFREG | 0644));
  const Result<AttributesReply> attributes = meta().getattr(id);
  ASSERT_TRUE(attributes);
  EXPECT_EQ(attributes->attributes.mtime, entry->attributes.mtime);
  EXPECT_EQ(attributes->attributes.inode_number, entry->attributes.inode_number);
  meta().forget(id, 2);
  EXPECT_EQ(meta_dispatch_.sessions(), 0u);
}

TEST_P(RemoteServicesTest, ErrorsAreThoseOfTheService) {
  EXPECT_EQ(lookup_error("nothing"), ENOENT);
  const Result<AttributesReply> gone = meta().getattr(999'999);
  const Result<AttributesReply> gone_here = harness_.meta().getattr(999'999);
  ASSERT_FALSE(gone);
  ASSERT_FALSE(gone_here);
  EXPECT_EQ(gone.error().code, gone_here.error().code);
  EXPECT_EQ(gone.error().context, gone_here.error().context);
  const Status removed = meta().unlink(root_, kRootInode, "nothing");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, ENOENT);
}

TEST_P(RemoteServicesTest, ItsCallerIsWhoItActsFor) {
  Caller nobody;
  nobody.uid = nobody.gid = test::kNobody;
  const Result<EntryReply> made = meta().mkdir(nobody, kRootInode, "theirs", 0755);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, EACCES);
  const Result<EntryReply> ours = meta().mkdir(root_, kRootInode, "ours", 0777);
  ASSERT_TRUE(ours);
  SetAttributes change;
  change.set_mode = true;
  change.mode = 0777;
  ASSERT_TRUE(meta().setattr(root_, ours->id, change));
  nobody.umask = 027;
  const Result<EntryReply> theirs = meta().mkdir(nobody, ours->id, "theirs", 0777);
  ASSERT_TRUE(theirs) << theirs.error().message();
  EXPECT_EQ(theirs->attributes.uid, test::kNobody);
  EXPECT_EQ(theirs->attributes.mode & 07777, 0750u);
}

TEST_P(RemoteServicesTest, NamesChange) {
  const std::string odd = "\xff\xfe odd\nname";
  const InodeId id = create("file", "content");
  ASSERT_TRUE(meta().rename(root_, kRootInode, "file", kRootInode, odd, 0));
  EXPECT_EQ(lookup_error("file"), ENOENT);
  EXPECT_EQ(lookup_error(odd), 0);
  const Result<EntryReply> linked = meta().link(root_, id, kRootInode, "second");
  ASSERT_TRUE(linked) << linked.error().message();
  EXPECT_EQ(linked->id, id);
  EXPECT_EQ(linked->attributes.link_count, 2u);
  const Status taken = meta().rename(root_, kRootInode, odd, kRootInode, "second", RENAME_NOREPLACE);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, EEXIST);
  ASSERT_TRUE(meta().unlink(root_, kRootInode, odd));
  EXPECT_FALSE(harness_.is_outside(odd));
  EXPECT_TRUE(harness_.is_outside("second"));

  const std::string target = "some/\xff/where";
  const Result<EntryReply> symlink = meta().symlink(root_, kRootInode, "symlink", target);
  ASSERT_TRUE(symlink);
  EXPECT_EQ(meta().readlink(root_, symlink->id).value_or(""), target);
  ASSERT_TRUE(meta().mkdir(root_, kRootInode, "directory", 0755));
  ASSERT_TRUE(meta().rmdir(root_, kRootInode, "directory"));
  const Result<EntryReply> pipe = meta().mknod(root_, kRootInode, "pipe", S_IFIFO | 0600, 0);
  ASSERT_TRUE(pipe);
  EXPECT_TRUE(S_ISFIFO(pipe->attributes.mode));
}

TEST_P(RemoteServicesTest, AttributesChange) {
  const InodeId id = create("file", "content");
  SetAttributes change;
  change.set_mode = change.set_size = change.set_mtime = true;
  change.mode = 0600;
  change.size = 3;
  change.mtime = {-5, 123'456'789};
  const Result<AttributesReply> changed = meta().setattr(root_, id, change);
  ASSERT_TRUE(changed) << changed.error().message();
  EXPECT_EQ(changed->attributes.size, 3u);
  EXPECT_EQ(changed->attributes.mode & 07777, 0600u);
  EXPECT_EQ(changed->attributes.mtime, change.mtime);
  EXPECT_EQ(read(id, 100), "con");

  const std::string value("a\0b\xff", 4);
  ASSERT_TRUE(meta().setxattr(root_, id, "user.some", value, 0));
  EXPECT_EQ(meta().getxattr(root_, id, "user.some").value_or(""), value);
  const std::string names = meta().listxattr(root_, id).value_or("");
  EXPECT_NE(names.find(std::string("user.some\0", 10)), names.npos);
  ASSERT_TRUE(meta().removexattr(root_, id, "user.some"));
  const Result<std::string> removed = meta().getxattr(root_, id, "user.some");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, ENODATA);
  const Result<struct statvfs> space = meta().statfs(id);
  ASSERT_TRUE(space);
  EXPECT_GT(space->f_bsize, 0u);
  EXPECT_EQ(space->f_namemax, harness_.meta().statfs(id)->f_namemax);
}

TEST_P(RemoteServicesTest, AnOpenMayTruncate) {
  const InodeId id = create("file", "content");
  meta().release(id, O_RDWR);
  const Result<OpenReply> opened = meta().open(root_, id, O_WRONLY | O_TRUNC);
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(opened->layout.targets, std::vector<TargetId>{kTarget});
  EXPECT_EQ(meta().getattr(id)->attributes.size, 0u);
  // As the kernel has it: some flags are gone at the end.
  meta().release(id, O_WRONLY);
  meta().forget(id, 1);
  EXPECT_EQ(meta_dispatch_.sessions(), 0u);
}

TEST_P(RemoteServicesTest, DataIsChangedInAllWays) {
  const InodeId id = create("file", std::string(100'000, 'a'));
  ASSERT_TRUE(storage().allocate(id, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65'536));
  EXPECT_EQ(storage().seek({id, 0, SEEK_DATA}).value_or(0), 65'536u);
  EXPECT_EQ(storage().seek({id, 65'536, SEEK_HOLE}).value_or(0), 100'000u);
  const Result<uint64_t> behind = storage().seek({id, 200'000, SEEK_DATA});
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().code, ENXIO);
  ASSERT_TRUE(storage().sync(id));
  const Result<ChunkState> state = storage().stat_file(id);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->size, 100'000u);
  EXPECT_TRUE(state->dirty);
  EXPECT_TRUE(state->exists);
  EXPECT_GT(storage().space().capacity_bytes, 0u);
  EXPECT_EQ(storage().space_of(kTarget).capacity_bytes, storage().space().capacity_bytes);
}

TEST_P(RemoteServicesTest, WhatIsAppendedComesBehindTheEnd) {
  const InodeId id = create("file", "content");
  ASSERT_TRUE(storage().write(id, kAtEnd, std::string(" and")));
  ASSERT_TRUE(storage().write(id, kAtEnd, std::string(" more")));
  EXPECT_EQ(read(id, 100), "content and more");
}

TEST_P(RemoteServicesTest, OffsetsBeyondAllFilesAreRefused) {
  const InodeId id = create("file", "content");
  const Status written = storage().write(id, UINT64_MAX - 2, std::string("xxxx"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, EFBIG);
  const Status allocated = storage().allocate(id, 0, 10, UINT64_MAX - 5);
  ASSERT_FALSE(allocated);
  EXPECT_EQ(allocated.error().code, EFBIG);
  std::string buffer(10, '?');
  EXPECT_EQ(storage().read(id, UINT64_MAX - 2, buffer).value_or(99), 0u);
  EXPECT_EQ(read(id, 100), "content");
}

TEST_P(RemoteServicesTest, SeveralRequestsAreUnderWayAtATime) {
  const InodeId first = create("first", ""), second = create("second", "");
  const std::string one(1000, '1'), two(2000, '2');
  auto writes = std::pair(storage().begin_write(first, 0, one), storage().begin_write(second, 0, two));
  EXPECT_TRUE(writes.first());
  EXPECT_TRUE(writes.second());
  std::string from_first(5000, '?'), from_second(5000, '?');
  auto reads = std::pair(storage().begin_read(first, 0, from_first), storage().begin_read(second, 0, from_second));
  // In the other order.
  EXPECT_EQ(reads.second().value_or(0), two.size());
  EXPECT_EQ(reads.first().value_or(0), one.size());
  EXPECT_EQ(from_first.substr(0, one.size()), one);
  EXPECT_EQ(from_second.substr(0, two.size()), two);
}

TEST_P(RemoteServicesTest, AFlushBringsItOut) {
  const std::string content = test::noise(test::kMiB);
  const InodeId id = create("file", content);
  meta().release(id, O_RDWR);
  EXPECT_TRUE(meta().cache_state(id)->dirty);
  EXPECT_EQ(meta().status().dirty_files, 1u);
  ASSERT_TRUE(meta().fsync(id));
  const Result<WorkProgress> progress = meta().flush(id, true, std::chrono::minutes(1));
  ASSERT_TRUE(progress) << progress.error().message();
  EXPECT_EQ(progress->failed_files, 0u);
  EXPECT_EQ(progress->last_error.code, 0);
  EXPECT_TRUE(harness_.outside_content("file") == content);
  EXPECT_FALSE(meta().cache_state(id)->dirty);
  EXPECT_EQ(meta().flush_failures(id), 0u);
  EXPECT_EQ(meta().last_flush_error(id).code, 0);
  ASSERT_TRUE(meta().pin(id, true));
  EXPECT_TRUE(meta().cache_state(id)->pinned);
  EXPECT_EQ(meta().cache_state(id)->present_bytes, content.size());
}

TEST_P(RemoteServicesTest, AListingHasEachEntryOnceAndItsLookupsAreCounted) {
  constexpr int kEntries = 3000;
  for (int i = 0; i < kEntries; ++i) test::write_file(harness_.outside(fmt::format("entry-{}", i)), "");
  const Result<OpenDirectoryReply> opened = meta().opendir(root_, kRootInode);
  ASSERT_TRUE(opened) << opened.error().message();
  for (const bool with_attributes : {true, false}) {
    std::multiset<std::string> names;
    std::vector<InodeId> ids;
    uint64_t cookie = 0;
    // Readers of many sizes, as the kernel's are.
    for (size_t room = 1;; room = room % 300 + 37) {
      size_t taken = 0;
      const Status read = meta().readdir(opened->handle, cookie, with_attributes, [&](const DirectoryEntry& entry) {
        if (taken == room) return false;
        ++taken;
        cookie = entry.next;
        names.emplace(entry.name);
        if (entry.entry != nullptr) ids.push_back(entry.entry->id);
        return true;
      });
      ASSERT_TRUE(read) << read.error().message();
      if (taken == 0) break;
    }
    EXPECT_EQ(names.size(), kEntries + 2u);
    for (int i = 0; i < kEntries; ++i) ASSERT_EQ(names.count(fmt::format("entry-{}", i)), 1u) << i;
    EXPECT_EQ(ids.size(), with_attributes ? kEntries : 0u);
    for (const InodeId id : ids) meta().forget(id, 1);
  }
  ASSERT_TRUE(meta().fsyncdir(opened->handle));
  EXPECT_EQ(meta_dispatch_.sessions(), 1u);
  meta().releasedir(opened->handle);
  EXPECT_EQ(meta_dispatch_.sessions(), 0u) << "lookups that the reader did not see were not given back";
  const Status closed = meta().readdir(opened->handle, 0, false, [](const DirectoryEntry&) { return true; });
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, EBADF);
}

TEST_P(RemoteServicesTest, NobodyGivesBackWhatAnotherHolds) {
  const InodeId id = create("file", "content");
  const Result<OpenDirectoryReply> opened = meta().opendir(root_, kRootInode);
  ASSERT_TRUE(opened);
  Peer other(address_, Role::kClient);
  other.meta.forget(id, 100);
  other.meta.release(id, O_RDWR);
  other.meta.releasedir(opened->handle);
  const Status listed = other.meta.readdir(opened->handle, 0, false, [](const DirectoryEntry&) { return true; });
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, EBADF);
  EXPECT_TRUE(meta().readdir(opened->handle, 0, false, [](const DirectoryEntry&) { return true; }));
  EXPECT_EQ(read(id, 100), "content");
  ASSERT_TRUE(meta().unlink(root_, kRootInode, "file"));
  EXPECT_EQ(read(id, 100), "content") << "it is open";
}

TEST_P(RemoteServicesTest, WhoIsGoneHoldsNothing) {
  const InodeId id = create("file", "content");
  ASSERT_TRUE(meta().opendir(root_, kRootInode));
  ASSERT_TRUE(meta().unlink(root_, kRootInode, "file"));
  EXPECT_TRUE(harness_.storage().stat_file(id)->exists);
  EXPECT_EQ(meta_dispatch_.sessions(), 1u);
  ASSERT_TRUE(client_is_gone());
  EXPECT_EQ(meta_dispatch_.sessions(), 0u);
  EXPECT_FALSE(harness_.storage().stat_file(id)->exists) << "unlinked, and nobody has it open";
}

TEST_P(RemoteServicesTest, OthersAreRefusedWhatIsNotTheirs) {
  const InodeId id = create("file", "content");
  const auto expect_refused = [](const Status& status) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, EPERM);
    EXPECT_NE(status.error().context.find("client node-1"), std::string::npos) << status.error().context;
  };
  const auto status_of = [](const auto& result) { return result ? Status() : Status(Failure(result.error())); };
  expect_refused(meta().mark_dirty(id, false));
  expect_refused(status_of(meta().revalidate(id)));
  expect_refused(status_of(meta().locate(id)));
  expect_refused(meta().make_room(kTarget, 1));
  EXPECT_TRUE(meta().after_write(id));
  expect_refused(status_of(storage().caching_file({.id = id})));
  expect_refused(storage().truncate(id, 0));
  expect_refused(status_of(storage().flush_begin({.id = id})));
  expect_refused(storage().flush_resize(id, 0, 0));
  expect_refused(storage().flush_move(id));
  expect_refused(status_of(storage().flush_commit({id, {}, {}})));
  expect_refused(storage().copy_out(id, {}, 0));
  expect_refused(storage().set_version(id, {}, {}));
  expect_refused(status_of(storage().outside_changed(id, {})));
  expect_refused(status_of(storage().drop(id, 1)));
  expect_refused(storage().discard(id));
  expect_refused(storage().revert(id, {}));
  expect_refused(status_of(storage().settle(id)));
  storage().close_file(id);
  storage().flush_abort(id);
  EXPECT_EQ(read(id, 100), "content");

  Peer storaged(address_, Role::kStorage);
  EXPECT_TRUE(storaged.meta.mark_dirty(id, false));
  EXPECT_TRUE(storaged.meta.locate(id));
  Peer metad(address_, Role::kMeta);
  const Result<SettleReply> settled = metad.storage.settle(id);
  ASSERT_TRUE(settled) << settled.error().message();
  EXPECT_EQ(settled->settled, Settled::kNewer);
}

TEST_P(RemoteServicesTest, ATargetThatIsElsewhereIsNamed) {
  Peer lost(address_, Role::kClient, kNoTarget);
  const Result<ChunkState> state = lost.storage.stat_file(1);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ENXIO);
  EXPECT_NE(state.error().context.find("target 7"), std::string::npos) << state.error().context;
}

TEST_P(RemoteServicesTest, ALeaseGivesTheFileItselfOverUnixSockets) {
  const std::string content = test::noise(100'000);
  const InodeId id = create("file", content);
  const Result<UniqueFd> lent = storage().lease({.id = id});
  if (GetParam() == Over::kTcp) {
    ASSERT_FALSE(lent);
    EXPECT_EQ(lent.error().code, ENOTSUP);
    // Nor does the server lend it to who asks in spite of that.
    wire::LeaseRequest request;
    request.set_id(id);
    wire::Done reply;
    transport::Call call;
    wire::Storage_Stub(&client_->storage_channel).Lease(&call, &request, &reply, nullptr);
    ASSERT_FALSE(call.status);
    EXPECT_EQ(call.status.error().code, ENOTSUP);
    return;
  }
  ASSERT_TRUE(lent) << lent.error().message();
  std::string here(content.size() + 1, '?');
  here.resize(pread_full(lent->get(), here.data(), here.size(), 0).value_or(0));
  EXPECT_TRUE(here == content);
  storage().end_lease(id);
}

TEST_P(RemoteServicesTest, ALeaseEndsWithItsHolder) {
  if (GetParam() == Over::kTcp) GTEST_SKIP() << "there are none";
  const InodeId id = create("file", "content");
  {
    const Result<UniqueFd> lent = storage().lease({.id = id, .writes = true});
    ASSERT_TRUE(lent) << lent.error().message();
    EXPECT_TRUE(harness_.storage().stat_file(id)->leased);
    Peer other(address_, Role::kClient);
    other.storage.end_lease(id);
    EXPECT_TRUE(harness_.storage().stat_file(id)->leased) << "it is not the other's";
  }
  ASSERT_TRUE(client_is_gone());
  const Result<SettleReply> settled = harness_.storage().settle(id);
  ASSERT_TRUE(settled);
  EXPECT_FALSE(harness_.storage().stat_file(id).value_or(ChunkState{}).leased);
}

TEST_P(RemoteServicesTest, LocksAreOfTheClientThatSetThem) {
  Peer other(address_, Role::kClient);
  LockRequest lock;
  lock.id = kRootInode + 1;
  lock.owner.number = ~uint64_t{0};
  lock.begin = 10;
  lock.end = 20;
  lock.exclusive = true;
  lock.pid = 42;
  EXPECT_TRUE(meta().lock(lock, false).value_or(false));
  EXPECT_TRUE(meta().lock(lock, true).value_or(false)) << "set twice, it is one lock";
  const Result<bool> refused = other.meta.lock(lock, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EAGAIN);
  const auto by_other = other.meta.test_lock(lock);
  ASSERT_TRUE(by_other && *by_other);
  EXPECT_EQ(**by_other, (HeldLock{10, 20, true, 0})) << "a process of another node";
  LockRequest neighbour = lock;
  neighbour.owner.number = 1;
  const auto by_neighbour = meta().test_lock(neighbour);
  ASSERT_TRUE(by_neighbour && *by_neighbour);
  EXPECT_EQ((**by_neighbour).pid, 42);
  LockRequest senseless = lock;
  senseless.end = senseless.begin;
  EXPECT_EQ(meta().lock(senseless, false).error().code, EINVAL);
  ASSERT_TRUE(other.meta.unlock(lock)) << "which takes nothing from others";
  EXPECT_TRUE(other.meta.test_lock(lock).value());
  ASSERT_TRUE(meta().unlock(lock));
  EXPECT_FALSE(other.meta.test_lock(lock).value());
}

TEST_P(RemoteServicesTest, AWaitForALockEndsWhenItIsFreeOrTakenBackOrItsClientGone) {
  Peer other(address_, Role::kClient);
  LockRequest lock;
  lock.id = kRootInode + 1;
  lock.space = LockSpace::kFlock;
  lock.exclusive = true;
  ASSERT_TRUE(meta().lock(lock, false).value_or(false));
  EXPECT_FALSE(other.meta.lock(lock, true).value_or(true));
  EXPECT_FALSE(other.meta.cancel_lock(lock).value_or(true));
  EXPECT_FALSE(other.meta.lock(lock, true).value_or(true));
  LockRequest unknown = lock;
  unknown.owner.number = 7;
  const auto news = other.meta.await_locks(std::vector{lock, unknown}, 0, kSoon);
  ASSERT_TRUE(news) << news.error().message();
  ASSERT_EQ(news->answers.size(), 1u);
  EXPECT_EQ(news->answers[0].wait, 1u);
  EXPECT_EQ(news->answers[0].code, EAGAIN);
  std::thread waiting([&] {
    for (uint64_t ended = news->ended;;) {
      const auto told = other.meta.await_locks(std::vector{lock}, ended, kSoon);
      ASSERT_TRUE(told) << told.error().message();
      ended = told->ended;
      if (told->answers.empty()) continue;
      EXPECT_EQ(told->answers[0].code, 0);
      return;
    }
  });
  EXPECT_TRUE(client_is_gone());
  waiting.join();
}

}  // namespace
}  // namespace forebay
