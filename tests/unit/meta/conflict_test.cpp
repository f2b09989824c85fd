// Both sides changed: the three rules, each with the file still there outside and gone.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "tests/unit/meta/server_harness.h"

namespace forebay::meta {
namespace {

// A file that is dirty here, and changed outside meanwhile.
struct Conflict : MetaHarness {
  explicit Conflict(ConflictRule rule) : MetaHarness(rule) {
    test::write_file(outside("a"), "original");
    id = lookup("a").id;
    write(id, 0, "OURS");
  }
  InodeId id = 0;
};

TEST(ConflictKeepBoth, TheOutsideStaysAndOursGoesBesideIt) {
  Conflict conflict(ConflictRule::kKeepBoth);
  test::write_file(conflict.outside("a"), "theirs");
  const WorkProgress progress = conflict.flush();
  EXPECT_EQ(progress.conflicts, 1u) << "whoever asked must know";
  EXPECT_NE(progress.last_error.context.find("conflict"), std::string::npos);
  EXPECT_EQ(conflict.outside_content("a"), "theirs");
  ASSERT_EQ(conflict.conflict_files().size(), 1u);
  EXPECT_EQ(conflict.outside_content(conflict.conflict_files()[0]).substr(0, 4), "OURS");
  EXPECT_EQ(conflict.read(conflict.id), "theirs");
  EXPECT_FALSE(conflict.state(conflict.id).dirty);
  EXPECT_EQ(conflict.meta().status().conflicts, 1u);
  EXPECT_EQ(conflict.flush().conflicts, 0u) << "it is settled";
}

// The look after a create shows what the client of a network file system knows; a later one may show its server's
// clock.
TEST(NoConflict, OtherTimesOfANewFileThatIsStillEmptyOutside) {
  for (const bool killed : {false, true}) {
    MetaHarness harness;
    const InodeId id = harness.create("new", "OURS");
    const timespec times[2] = {{1'234'567'890, 1}, {1'234'567'890, 2}};
    ASSERT_EQ(::utimensat(AT_FDCWD, harness.outside("new").c_str(), times, 0), 0);
    if (killed) harness.kill();
    EXPECT_EQ(harness.flush().conflicts, 0u);
    EXPECT_EQ(harness.outside_content("new"), "OURS");
    EXPECT_TRUE(harness.conflict_files().empty());
    EXPECT_FALSE(harness.state(id).dirty);
    // And from then on its times count.
    harness.write(id, 0, "AGAIN");
    ASSERT_EQ(::utimensat(AT_FDCWD, harness.outside("new").c_str(), times, 0), 0);
    EXPECT_EQ(harness.flush().conflicts, 1u);
  }
}

TEST(ConflictKeepBoth, ANewFileThatSomebodyWroteOutsideKeepsBoth) {
  MetaHarness harness;
  harness.create("new", "OURS");
  test::write_file(harness.outside("new"), "theirs");
  EXPECT_EQ(harness.flush().conflicts, 1u);
  EXPECT_EQ(harness.outside_content("new"), "theirs");
  ASSERT_EQ(harness.conflict_files().size(), 1u);
  EXPECT_EQ(harness.outside_content(harness.conflict_files()[0]), "OURS");
}

TEST(ConflictKeepBoth, AFileThatIsWhollyHereIsKeptWholly) {
  Conflict conflict(ConflictRule::kKeepBoth);
  EXPECT_EQ(conflict.read(conflict.id), "OURSinal");
  test::write_file(conflict.outside("a"), "theirs");
  conflict.flush();
  ASSERT_EQ(conflict.conflict_files().size(), 1u);
  EXPECT_EQ(conflict.outside_content(conflict.conflict_files()[0]), "OURSinal");
}

TEST(ConflictKeepBoth, AFileThatWasReplacedOutsideKeepsBoth) {
  Conflict conflict(ConflictRule::kKeepBoth);
  EXPECT_EQ(conflict.read(conflict.id), "OURSinal");
  test::write_file(conflict.outside("new"), "theirs");
  ASSERT_EQ(::rename(conflict.outside("new").c_str(), conflict.outside("a").c_str()), 0);
  EXPECT_EQ(conflict.flush().conflicts, 1u);
  EXPECT_EQ(conflict.outside_content("a"), "theirs");
  ASSERT_EQ(conflict.conflict_files().size(), 1u);
  EXPECT_EQ(conflict.outside_content(conflict.conflict_files()[0]), "OURSinal");
  EXPECT_EQ(conflict.meta().status().dirty_files, 0u);
  EXPECT_EQ(conflict.read(conflict.lookup("a").id), "theirs");
}

TEST(ConflictKeepBoth, OursKeepsItsAttributes) {
  Conflict conflict(ConflictRule::kKeepBoth);
  SetAttributes change;
  change.set_mode = change.set_mtime = change.set_uid = true;
  change.mode = 0640;
  change.uid = 1234;
  change.mtime = {1'000'000'000, 0};
  ASSERT_TRUE(conflict.meta().setattr(conflict.root(), conflict.id, change));
  test::write_file(conflict.outside("a"), "theirs");
  conflict.flush();
  ASSERT_EQ(conflict.conflict_files().size(), 1u);
  struct stat found;
  ASSERT_EQ(::stat(conflict.outside(conflict.conflict_files()[0]).c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0640u);
  EXPECT_EQ(found.st_uid, 1234u);
  EXPECT_EQ(found.st_mtim.tv_sec, 1'000'000'000);
}

TEST(ConflictKeepBoth, WhatTheOutsideRemovedIsKeptBeside) {
  Conflict conflict(ConflictRule::kKeepBoth);
  EXPECT_EQ(conflict.read(conflict.id), "OURSinal");
  ASSERT_EQ(::unlink(conflict.outside("a").c_str()), 0);
  EXPECT_EQ(conflict.flush().conflicts, 1u);
  EXPECT_FALSE(conflict.is_outside("a"));
  ASSERT_EQ(conflict.conflict_files().size(), 1u);
  EXPECT_EQ(conflict.outside_content(conflict.conflict_files()[0]), "OURSinal");
  EXPECT_EQ(conflict.meta().status().dirty_files, 0u);
}

// The written part is all that there is of it any more: it must not be lost for that, nor be tried for ever.
TEST(ConflictKeepBoth, WhatTheOutsideRemovedIsKeptThoughOnlyAPartIsHere) {
  Conflict conflict(ConflictRule::kKeepBoth);
  ASSERT_EQ(::unlink(conflict.outside("a").c_str()), 0);
  conflict.flush();
  ASSERT_EQ(conflict.conflict_files().size(), 1u);
  EXPECT_EQ(conflict.outside_content(conflict.conflict_files()[0]).substr(0, 4), "OURS");
  EXPECT_EQ(conflict.meta().status().dirty_files, 0u);
}

TEST(ConflictKeepBoth, WhenItCannotBeKeptBesideItStaysDirty) {
  Conflict conflict(ConflictRule::kKeepBoth);
  EXPECT_EQ(conflict.read(conflict.id), "OURSinal");
  test::write_file(conflict.outside("a"), "theirs");
  // The copy breaks off after four bytes.
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto saved = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{4, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const WorkProgress progress = conflict.flush();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, saved);

  EXPECT_EQ(progress.failed_files, 1u);
  EXPECT_EQ(progress.last_error.code, EFBIG);
  EXPECT_TRUE(conflict.conflict_files().empty()) << "half a copy is none";
  EXPECT_EQ(conflict.meta().status().dirty_files, 1u);
  EXPECT_EQ(conflict.read(conflict.id), "OURSinal");
  EXPECT_EQ(conflict.meta().flush_failures(conflict.id), 1u);
  EXPECT_EQ(conflict.meta().last_flush_error(conflict.id).code, EFBIG);
  conflict.flush();
  ASSERT_EQ(conflict.conflict_files().size(), 1u) << "and succeeds as soon as it can";
  EXPECT_EQ(conflict.outside_content(conflict.conflict_files()[0]), "OURSinal");
}

TEST(ConflictCacheWins, OursReplacesTheOutside) {
  Conflict conflict(ConflictRule::kCacheWins);
  EXPECT_EQ(conflict.read(conflict.id), "OURSinal");
  test::write_file(conflict.outside("a"), "theirs, which is longer than ours");
  EXPECT_EQ(conflict.flush().conflicts, 0u);
  EXPECT_EQ(conflict.outside_content("a"), "OURSinal");
  EXPECT_TRUE(conflict.conflict_files().empty());
  EXPECT_FALSE(conflict.state(conflict.id).dirty);
}

TEST(ConflictCacheWins, WhatTheOutsideRemovedIsNotLost) {
  Conflict conflict(ConflictRule::kCacheWins);
  conflict.read(conflict.id);
  ASSERT_EQ(::unlink(conflict.outside("a").c_str()), 0);
  conflict.flush();
  ASSERT_EQ(conflict.conflict_files().size(), 1u);
  EXPECT_EQ(conflict.outside_content(conflict.conflict_files()[0]), "OURSinal");
}

TEST(ConflictExternalWins, OursIsDroppedAndReported) {
  Conflict conflict(ConflictRule::kExternalWins);
  test::write_file(conflict.outside("a"), "theirs");
  const WorkProgress progress = conflict.flush();
  EXPECT_EQ(progress.conflicts, 1u);
  EXPECT_NE(progress.last_error.context.find("dropped"), std::string::npos);
  EXPECT_EQ(conflict.outside_content("a"), "theirs");
  EXPECT_EQ(conflict.read(conflict.id), "theirs");
  EXPECT_TRUE(conflict.conflict_files().empty());
}

TEST(ConflictExternalWins, WhatTheOutsideRemovedIsGone) {
  Conflict conflict(ConflictRule::kExternalWins);
  ASSERT_EQ(::unlink(conflict.outside("a").c_str()), 0);
  conflict.flush();
  EXPECT_TRUE(conflict.conflict_files().empty());
  EXPECT_EQ(conflict.meta().status().dirty_files, 0u);
  EXPECT_EQ(conflict.lookup("a").id, 0u);
}

// Between a rename or an unlink outside and what is known of it here, a flush finds the file at none of its names.
TEST(ConflictKeepBoth, AnOwnRenameDuringAFlushIsNoRemovalByTheOutside) {
  MetaHarness cache(ConflictRule::kKeepBoth);
  const InodeId id = cache.create("a", "0");
  std::atomic<bool> done = false;
  std::thread renames([&] {
    for (int i = 0; i < 3'000; ++i) {
      const bool back = i % 2 != 0;
      EXPECT_TRUE(cache.meta().rename(cache.root(), kRootInode, back ? "b" : "a", kRootInode, back ? "a" : "b", 0));
    }
    done = true;
  });
  for (int i = 0; !done; ++i) {
    cache.write(id, 0, std::to_string(i));
    cache.flush();
  }
  renames.join();
  EXPECT_TRUE(cache.conflict_files().empty());
}

TEST(ConflictKeepBoth, AnOwnUnlinkDuringAFlushIsNoRemovalByTheOutside) {
  MetaHarness cache(ConflictRule::kKeepBoth);
  std::atomic<bool> done = false;
  std::thread flushes([&] {
    while (!done) cache.flush();
  });
  for (int i = 0; i < 1'000; ++i) {
    cache.create("a", "hello");
    EXPECT_TRUE(cache.meta().unlink(cache.root(), kRootInode, "a"));
  }
  done = true;
  flushes.join();
  EXPECT_TRUE(cache.conflict_files().empty());
  EXPECT_EQ(cache.meta().status().dirty_files, 0u);
}

}  // namespace
}  // namespace forebay::meta
