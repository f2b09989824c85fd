// What a killed process leaves is taken up by the next one: nothing that was written is gone, nothing that was unlinked
// is back.
#include <gtest/gtest.h>

#include "tests/unit/meta/server_harness.h"

namespace forebay::meta {
namespace {

class RecoveryTest : public testing::Test, protected MetaHarness {};

TEST_F(RecoveryTest, DirtyFilesAreTakenUp) {
  const InodeId id = create("a", "hello");
  ASSERT_TRUE(meta().mkdir(root(), kRootInode, "d", 0755));
  const InodeId below = create("b", "below", lookup("d").id);
  kill();
  EXPECT_EQ(meta().status().dirty_files, 2u);
  EXPECT_EQ(lookup("a").id, id) << "under the same number";
  EXPECT_EQ(lookup("b", lookup("d").id).id, below);
  EXPECT_EQ(meta().getattr(id)->attributes.size, 5u);
  EXPECT_EQ(read(id), "hello");
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("a"), "hello");
  EXPECT_EQ(outside_content("d/b"), "below");
}

TEST_F(RecoveryTest, CachedFilesAreStillCached) {
  test::write_file(outside("a"), "content");
  read(lookup("a").id);
  kill();
  const InodeId id = lookup("a").id;
  EXPECT_TRUE(state(id).cached);
  EXPECT_EQ(read(id), "content");
  EXPECT_EQ(storage().space().fetched_bytes, 0u);
}

TEST_F(RecoveryTest, AWriteIsKeptThoughItsFileIsStillOpen) {
  const InodeId id = meta().create(root(), kRootInode, "a", 0644, O_WRONLY)->id;
  ASSERT_TRUE(storage().write(id, 0, std::string("hello")));
  kill();
  EXPECT_EQ(read(lookup("a").id), "hello");
  flush();
  EXPECT_EQ(outside_content("a"), "hello");
}

TEST_F(RecoveryTest, AFlushedFileIsCleanAfterwards) {
  create("a", "hello");
  flush();
  kill();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(meta().status().dirty_files, 0u);
  EXPECT_EQ(outside_content("a"), "hello");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(RecoveryTest, AnUnlinkedFileDoesNotComeBack) {
  create("a", "hello");
  ASSERT_TRUE(meta().unlink(root(), kRootInode, "a"));
  kill();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_FALSE(is_outside("a"));
  EXPECT_TRUE(conflict_files().empty());
  EXPECT_EQ(meta().status().dirty_files, 0u);
}

TEST_F(RecoveryTest, AKillBetweenTheUnlinkAndItsRecordIsNoConflict) {
  const InodeId id = create("a", "hello");
  kill([&](Store& store) {
    ASSERT_TRUE(store.put_intent(0, "", id));
    ASSERT_EQ(::unlink(outside("a").c_str()), 0);
  });
  EXPECT_EQ(meta().status().dirty_files, 0u);
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_TRUE(conflict_files().empty());
  EXPECT_EQ(storage().space().used_bytes, 0u);
}

// The database knew it as dirty and by its name, from before the flush, and nothing was committed since.
TEST_F(RecoveryTest, AFileThatWasFlushedThenUnlinkedThenWrittenDoesNotComeBack) {
  const InodeId id = meta().create(root(), kRootInode, "a", 0644, O_WRONLY)->id;
  ASSERT_TRUE(storage().write(id, 0, std::string("hello")));
  EXPECT_EQ(flush().failed_files, 0u);
  ASSERT_TRUE(meta().unlink(root(), kRootInode, "a"));
  ASSERT_TRUE(storage().write(id, 0, std::string("again")));
  kill();
  EXPECT_EQ(meta().status().dirty_files, 0u);
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_TRUE(conflict_files().empty());
  EXPECT_EQ(storage().space().used_bytes, 0u);
}

TEST_F(RecoveryTest, AFileThatWasFlushedThenReplacedThenWrittenDoesNotComeBack) {
  const InodeId id = meta().create(root(), kRootInode, "a", 0644, O_WRONLY)->id;
  ASSERT_TRUE(storage().write(id, 0, std::string("hello")));
  EXPECT_EQ(flush().failed_files, 0u);
  test::write_file(outside("b"), "theirs");
  ASSERT_TRUE(meta().rename(root(), kRootInode, "b", kRootInode, "a", 0));
  ASSERT_TRUE(storage().write(id, 0, std::string("again")));
  kill();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_TRUE(conflict_files().empty());
  EXPECT_EQ(outside_content("a"), "theirs");
}

// Its first write may be under way, and make it known as dirty before the outside is asked. What was recorded before
// is seen best when the outside refuses.
TEST_F(RecoveryTest, AnUnlinkOfAFileThatIsOpenForWritingIsIntendedBefore) {
  const InodeId id = meta().create(root(), kRootInode, "a", 0644, O_WRONLY)->id;
  const Caller other{.uid = 1000, .gid = 1000};
  EXPECT_EQ(meta().unlink(other, kRootInode, "a").error().code, EACCES);
  kill([&](Store& store) {
    const auto intents = store.intents_of(id);
    ASSERT_EQ(intents->size(), 1u);
    EXPECT_EQ(intents->front().parent, 0u);
  });
}

TEST_F(RecoveryTest, ARenameOfAFileThatIsOpenForWritingIsIntendedBefore) {
  const InodeId id = meta().create(root(), kRootInode, "a", 0644, O_WRONLY)->id;
  const Caller other{.uid = 1000, .gid = 1000};
  EXPECT_EQ(meta().rename(other, kRootInode, "a", kRootInode, "b", 0).error().code, EACCES);
  kill([&](Store& store) {
    const auto intents = store.intents_of(id);
    ASSERT_EQ(intents->size(), 1u);
    EXPECT_EQ(intents->front().name, "b");
  });
}

// The database knew the file by the name that went. It is to be found by the one that is left.
TEST_F(RecoveryTest, AnUnlinkedLinkOfADirtyFileLeavesItsDataToTheOther) {
  test::write_file(outside("a"), "theirs");
  ASSERT_EQ(::link(outside("a").c_str(), outside("b").c_str()), 0);
  write(lookup("a").id, 0, "ours!!");
  lookup("b");
  ASSERT_TRUE(meta().unlink(root(), kRootInode, "a"));
  kill();
  EXPECT_EQ(read(lookup("b").id), "ours!!");
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("b"), "ours!!");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(RecoveryTest, AnUnlinkedLinkOfADirtyFileLeavesItsDataToOneThatNobodyLookedUp) {
  test::write_file(outside("a"), "theirs");
  ASSERT_EQ(::link(outside("a").c_str(), outside("b").c_str()), 0);
  write(lookup("a").id, 0, "ours!!");
  ASSERT_TRUE(meta().unlink(root(), kRootInode, "a"));
  kill();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("b"), "ours!!");
  EXPECT_EQ(read(lookup("b").id), "ours!!");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(RecoveryTest, AnUnlinkThatWasOnlyIntendedDidNotHappen) {
  const InodeId id = create("a", "hello");
  kill([&](Store& store) { ASSERT_TRUE(store.put_intent(0, "", id)); });
  EXPECT_EQ(read(lookup("a").id), "hello");
  kill();  // the intent is gone: a removal by the outside is a conflict now
  ASSERT_EQ(::unlink(outside("a").c_str()), 0);
  flush();
  EXPECT_EQ(conflict_files().size(), 1u);
}

TEST_F(RecoveryTest, AKillBetweenTheRenameAndItsRecordFindsTheFile) {
  const InodeId id = create("a", "hello");
  ASSERT_TRUE(meta().mkdir(root(), kRootInode, "d", 0755));
  const InodeId directory = lookup("d").id;
  create("x", "so that the directory is in the database", directory);
  ASSERT_TRUE(storage().expect_version_change(id, false));
  kill([&](Store& store) {
    ASSERT_TRUE(store.put_intent(directory, "b", id));
    ASSERT_EQ(::rename(outside("a").c_str(), outside("d/b").c_str()), 0);
  });
  EXPECT_EQ(lookup("b", lookup("d").id).id, id);
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("d/b"), "hello");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(RecoveryTest, AFirstNameThatWasOnlyIntendedLeavesNothing) {
  const InodeId id = create("a", "hello");
  kill([&](Store& store) {  // as if "a" had never been its name
    ASSERT_TRUE(store.delete_names(id));
    ASSERT_TRUE(store.put_intent(kRootInode, "b", id));
    ASSERT_TRUE(store.put_intent(0, "", id));
    test::write_file(outside("b"), "theirs");
    ASSERT_EQ(::unlink(outside("a").c_str()), 0);
  });
  EXPECT_EQ(meta().status().dirty_files, 0u);
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("b"), "theirs");
  EXPECT_TRUE(conflict_files().empty());
  EXPECT_EQ(storage().space().used_bytes, 0u);
}

TEST_F(RecoveryTest, AFirstNameThatIsTakenIsNoName) {
  const auto made = meta().tmpfile(root(), kRootInode, 0644, O_RDWR);
  ASSERT_TRUE(made) << made.error().message();
  const InodeId id = made->id;
  ASSERT_TRUE(storage().write(id, 0, std::string("hello")));
  test::write_file(outside("taken"), "theirs");
  EXPECT_EQ(meta().link(root(), id, kRootInode, "taken").error().code, EEXIST);
  EXPECT_EQ(meta().link(root(), id, kRootInode, "b")->id, id) << "another name will do";
  kill();
  EXPECT_EQ(read(lookup("b").id), "hello");
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("b"), "hello");
  EXPECT_EQ(outside_content("taken"), "theirs");
}

TEST_F(RecoveryTest, ARenameThatWasOnlyIntendedDidNotHappen) {
  const InodeId id = create("a", "hello");
  kill([&](Store& store) { ASSERT_TRUE(store.put_intent(kRootInode, "b", id)); });
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("a"), "hello");
  EXPECT_FALSE(is_outside("b"));
}

TEST_F(RecoveryTest, AKillBetweenAChmodAndItsRecordIsNoConflict) {
  const InodeId id = create("a", "hello");
  ASSERT_TRUE(storage().expect_version_change(id, false));
  ASSERT_EQ(::chmod(outside("a").c_str(), 0600), 0);
  kill();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("a"), "hello");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(RecoveryTest, AKillBetweenAUtimensAndItsRecordIsNoConflict) {
  const InodeId id = create("a", "hello");
  ASSERT_TRUE(storage().expect_version_change(id, true));
  const timespec times[2] = {{1'000'000, 1}, {1'000'000, 1}};
  ASSERT_EQ(::utimensat(AT_FDCWD, outside("a").c_str(), times, 0), 0);
  kill();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("a"), "hello");
  EXPECT_TRUE(conflict_files().empty());
}

// The second change must not find the version that the first one left behind unrecorded.
TEST_F(RecoveryTest, AUtimensAfterAChmodThatAKillCutShortIsNoConflict) {
  const InodeId id = create("a", "hello");
  ASSERT_TRUE(storage().expect_version_change(id, false));
  ASSERT_EQ(::chmod(outside("a").c_str(), 0600), 0);
  kill();
  SetAttributes times;
  times.set_mtime = true;
  times.mtime = {1'000'000, 1};
  ASSERT_TRUE(meta().setattr(root(), lookup("a").id, times));
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("a"), "hello");
  EXPECT_TRUE(conflict_files().empty());
}

// The page cache may write a mapping back at any moment, also into a file that was clean when its chmod began.
TEST_F(RecoveryTest, AFileThatBecameDirtyDuringAChmodThatAKillCutShortIsNoConflict) {
  test::write_file(outside("a"), "theirs");
  const InodeId id = lookup("a").id;
  ASSERT_TRUE(meta().open(root(), id, O_WRONLY));
  ASSERT_TRUE(storage().expect_version_change(id, false));
  ASSERT_TRUE(storage().write(id, 0, std::string("ours!!")));
  ASSERT_EQ(::chmod(outside("a").c_str(), 0600), 0);
  kill();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("a"), "ours!!");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(RecoveryTest, AChangeOutsideWhileNobodyWatchedIsAConflict) {
  create("a", "hello");
  kill([&](Store&) { test::write_file(outside("a"), "theirs"); });
  EXPECT_EQ(flush().conflicts, 1u);
  EXPECT_EQ(outside_content("a"), "theirs");
  ASSERT_EQ(conflict_files().size(), 1u);
  EXPECT_EQ(outside_content(conflict_files()[0]), "hello");
}

// What cannot be (the directory would be its own ancestor) was recorded, and then refused by the outside.
TEST_F(RecoveryTest, ARenameIntoItselfThatWasOnlyIntendedIsForgotten) {
  ASSERT_TRUE(meta().mkdir(root(), kRootInode, "d", 0755));
  const InodeId d = lookup("d").id;
  ASSERT_TRUE(meta().mkdir(root(), d, "below", 0755));
  const InodeId below = lookup("below", d).id;
  create("a", "hello", below);
  kill([&](Store& store) { ASSERT_TRUE(store.put_intent(below, "d", d)); });
  EXPECT_EQ(read(lookup("a", lookup("below", lookup("d").id).id).id), "hello");
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("d/below/a"), "hello");
  kill([&](Store& store) { EXPECT_TRUE(store.with_intents()->empty()); });
}

TEST_F(RecoveryTest, AKillBetweenTheRenameOfADirectoryAndItsRecordFindsTheFileBelowAlsoAtTheStartAfter) {
  ASSERT_TRUE(meta().mkdir(root(), kRootInode, "d", 0755));
  const InodeId d = lookup("d").id;
  create("a", "hello", d);
  kill([&](Store& store) {
    ASSERT_TRUE(store.put_intent(kRootInode, "e", d));
    ASSERT_EQ(::rename(outside("d").c_str(), outside("e").c_str()), 0);
  });
  kill([&](Store& store) { EXPECT_TRUE(store.with_intents()->empty()); });
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("e/a"), "hello");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(RecoveryTest, ADirtyFileBelowADirectoryThatTheOutsideRenamedIsFoundWhenThatWasSeen) {
  ASSERT_TRUE(meta().mkdir(root(), kRootInode, "d", 0755));
  create("a", "hello", lookup("d").id);
  ASSERT_EQ(::rename(outside("d").c_str(), outside("e").c_str()), 0);
  lookup("e");
  ASSERT_TRUE(meta().stop(MetaServer::End::kKeep));  // a moment passes, and all is committed
  kill();
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(outside_content("e/a"), "hello");
  EXPECT_TRUE(conflict_files().empty());
}

TEST_F(RecoveryTest, ADirtyFileThatTheOutsideRenamedIsFoundWhenItIsSeen) {
  const InodeId id = create("a", "hello");
  kill([&](Store&) { ASSERT_EQ(::rename(outside("a").c_str(), outside("b").c_str()), 0); });
  EXPECT_EQ(lookup("b").id, id);
  EXPECT_EQ(read(id), "hello");
  flush();
  EXPECT_EQ(outside_content("b"), "hello");
  EXPECT_TRUE(conflict_files().empty()) << "the lost name explains the change of ctime";
}

TEST_F(RecoveryTest, PinsAreKept) {
  test::write_file(outside("a"), "content");
  ASSERT_TRUE(meta().pin(lookup("a").id, true));
  kill();
  EXPECT_TRUE(state(lookup("a").id).pinned);
}

TEST_F(RecoveryTest, NumbersAreNotGivenTwice) {
  const InodeId first = create("a", "x");
  kill();
  EXPECT_GT(create("b", "y"), first);
}

TEST_F(RecoveryTest, ManyKillsInARowLoseNothing) {
  std::string expected;
  for (int round = 0; round < 5; ++round) {
    const std::string piece = "piece " + std::to_string(round) + ";";
    if (round == 0) create("a", "");
    write(lookup("a").id, expected.size(), piece);
    expected += piece;
    if (round == 2) flush();
    kill();
    ASSERT_EQ(read(lookup("a").id), expected);
  }
  flush();
  EXPECT_EQ(outside_content("a"), expected);
}

}  // namespace
}  // namespace forebay::meta
