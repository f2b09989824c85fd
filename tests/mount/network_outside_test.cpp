// An external file system behind a program, as network file systems are: an object that was removed answers nothing
// any more, not even through a descriptor.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <optional>
#include <set>

#include "tests/support/mounted_cache.h"
#include "tests/support/slow_outside.h"

namespace forebay::test {
namespace {

class NetworkOutside : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    outside_.emplace(cache_.external());
    cache_.mount({.settings = {"flush.policy=manual"}});
  }

  MountedCache cache_;
  std::optional<SlowOutside> outside_;
};

TEST_F(NetworkOutside, AnUnlinkedDirtyFileIsGoneAndNothingIsLeftOfIt) {
  write_file(cache_.inside("a"), std::string(1 << 20, 'x'));
  EXPECT_EQ(cache_.status().at("dirty_files"), 1);
  ASSERT_EQ(::unlink(cache_.inside("a").c_str()), 0);
  ASSERT_TRUE(cache_.wait_for([](const Json& status) { return status.at("used_bytes") == 0; }));
  EXPECT_EQ(cache_.status().at("dirty_files"), 0);
  cache_.run({"flush", cache_.mountpoint()});
  cache_.unmount();
  EXPECT_EQ(names_in(outside_->behind("")), std::set<std::string>{});
}

// The kernel asks for ACLs before it lets another than the owner in, and takes "not supported" for a refusal.
TEST_F(NetworkOutside, OtherUsersWorkWhereTheOutsideHasNoAcls) {
  for (const std::string& path : {cache_.root().path(), cache_.external()}) ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(cache_.inside("shared").c_str(), 0777), 0);
  ASSERT_EQ(::chmod(cache_.inside("shared").c_str(), 0777), 0);
  write_file(cache_.inside("secret"), "secret");
  ASSERT_EQ(::chmod(cache_.inside("secret").c_str(), 0600), 0);
  const auto as_nobody = [&](const std::string& command) {
    return run_process({"sh", "-c", command}, {.directory = cache_.mountpoint(), .user = kNobody}).exit_status;
  };
  EXPECT_EQ(as_nobody("echo mine > shared/mine && cat shared/mine && chmod 600 shared/mine"), 0);
  EXPECT_NE(as_nobody("cat secret"), 0);
  EXPECT_EQ(stat_of(cache_.inside("shared/mine")).st_uid, kNobody);
}

TEST_F(NetworkOutside, AFileThatARenameReplacedIsGone) {
  write_file(cache_.inside("a"), "old");
  write_file(cache_.inside("b"), "new");
  ASSERT_EQ(::rename(cache_.inside("b").c_str(), cache_.inside("a").c_str()), 0);
  EXPECT_EQ(cache_.status().at("dirty_files"), 1);
  cache_.unmount();
  EXPECT_EQ(names_in(outside_->behind("")), std::set<std::string>{"a"});
  EXPECT_EQ(read_file(outside_->behind("a")), "new");
}

TEST_F(NetworkOutside, AnUnlinkedOpenFileIsReadableUntilItIsClosed) {
  write_file(cache_.inside("a"), "data");
  OpenFile open(cache_.inside("a"), O_RDWR);
  ASSERT_EQ(::unlink(cache_.inside("a").c_str()), 0);
  EXPECT_EQ(open.read_at(0, 10), "data");
  open.write_at(4, " and more");
  EXPECT_EQ(::fchmod(open.fd(), 0600), 0);
  const timespec times[2] = {{1, 0}, {1'000'000, 5}};
  EXPECT_EQ(::futimens(open.fd(), times), 0);
  struct stat found;
  ASSERT_EQ(::fstat(open.fd(), &found), 0);
  EXPECT_EQ(found.st_mode, S_IFREG | 0600u);
  EXPECT_EQ(found.st_nlink, 0u);
  EXPECT_EQ(found.st_mtim.tv_sec, 1'000'000);
  struct statvfs space;
  EXPECT_EQ(::fstatvfs(open.fd(), &space), 0);
  EXPECT_EQ(open.read_at(0, 20), "data and more");
  EXPECT_EQ(open.close(), 0);
  cache_.unmount();
  EXPECT_EQ(names_in(outside_->behind("")), std::set<std::string>{});
}

// Its number is free again, and without a time of birth nothing else tells the two objects apart.
TEST_F(NetworkOutside, ANewFileIsNotTakenForAnUnlinkedOneThatIsStillOpen) {
  write_file(cache_.inside("a"), "old data");
  OpenFile open(cache_.inside("a"), O_RDWR);
  ASSERT_EQ(::unlink(cache_.inside("a").c_str()), 0);
  for (const char* name : {"b", "c", "d"}) {
    write_file(cache_.inside(name), name);
    EXPECT_EQ(read_file(cache_.inside(name)), name);
    EXPECT_EQ(open.read_at(0, 20), "old data");
  }
  EXPECT_EQ(open.close(), 0);
  cache_.unmount();
  for (const char* name : {"b", "c", "d"}) EXPECT_EQ(read_file(outside_->behind(name)), name);
}

TEST_F(NetworkOutside, OneOfTwoLinksLeavesTheDataToTheOther) {
  write_file(cache_.inside("a"), "data");
  ASSERT_EQ(::link(cache_.inside("a").c_str(), cache_.inside("b").c_str()), 0);
  ASSERT_EQ(::unlink(cache_.inside("a").c_str()), 0);
  EXPECT_EQ(read_file(cache_.inside("b")), "data");
  EXPECT_EQ(stat_of(cache_.inside("b")).st_nlink, 1u);
  cache_.unmount();
  EXPECT_EQ(read_file(outside_->behind("b")), "data");
}

TEST_F(NetworkOutside, ARemovedDirectoryThatIsStillOpenTakesNoNewNames) {
  ASSERT_EQ(::mkdir(cache_.inside("d").c_str(), 0755), 0);
  const OpenFile directory(cache_.inside("d"), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::rmdir(cache_.inside("d").c_str()), 0);
  EXPECT_EQ(::mkdirat(directory.fd(), "a", 0755), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(::openat(directory.fd(), "a", O_CREAT | O_WRONLY, 0644), -1);
  EXPECT_EQ(errno, ENOENT);
}

// The descriptor that we hold led there by the name that went.
TEST_F(NetworkOutside, OwnChangesAfterOneOfTwoNamesWentAreNoConflict) {
  OpenFile open(cache_.inside("a"), O_CREAT | O_RDWR);
  open.write_at(0, "data");
  ASSERT_EQ(::link(cache_.inside("a").c_str(), cache_.inside("b").c_str()), 0);
  ASSERT_EQ(::unlink(cache_.inside("a").c_str()), 0);
  const timespec times[2] = {{1, 0}, {1'000'000, 5}};
  EXPECT_EQ(::futimens(open.fd(), times), 0);
  cache_.run({"flush", cache_.mountpoint()});
  EXPECT_EQ(open.close(), 0);
  cache_.unmount();
  EXPECT_EQ(names_in(outside_->behind("")), std::set<std::string>{"b"});
  EXPECT_EQ(read_file(outside_->behind("b")), "data");
  EXPECT_EQ(stat_of(outside_->behind("b")).st_mtim.tv_sec, 1'000'000);
}

}  // namespace
}  // namespace forebay::test
