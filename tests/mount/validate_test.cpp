// What is seen of changes outside, in the three modes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

class Validation : public MountTest {
 protected:
  void rewrite_outside_with_the_old_mtime(const std::string& name, const std::string& content) {
    const std::string path = cache_.outside(name);
    const struct stat before = stat_of(path);
    write_file(path, content);
    const timespec times[2] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  MountedCache cache_;
};

TEST_F(Validation, AlwaysSeesEveryChangeAtOnce) {
  cache_.mount({.settings = {"consistency.validate=always"}});
  write_file(cache_.outside("a"), "one");
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
  rewrite_outside_with_the_old_mtime("a", "two");
  EXPECT_EQ(read_file(cache_.inside("a")), "two") << "same size, same mtime";
  ASSERT_EQ(::chmod(cache_.outside("a").c_str(), 0600), 0);
  EXPECT_EQ(stat_of(cache_.inside("a")).st_mode & 07777, 0600u);
  ASSERT_EQ(::unlink(cache_.outside("a").c_str()), 0);
  EXPECT_FALSE(exists(cache_.inside("a")));
  write_file(cache_.outside("a"), "three");
  EXPECT_EQ(read_file(cache_.inside("a")), "three") << "a name that was not there is there";
}

TEST_F(Validation, TtlSeesAChangeWhenTheTimeIsOver) {
  cache_.mount({.settings = {"consistency.validate=ttl", "consistency.attr_ttl=100ms"}});
  write_file(cache_.outside("a"), "one");
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
  write_file(cache_.outside("a"), "two");
  std::this_thread::sleep_for(std::chrono::milliseconds(150));  // the time that is promised
  EXPECT_EQ(read_file(cache_.inside("a")), "two");
}

TEST_F(Validation, TtlDoesNotAskAgainWithinTheTime) {
  cache_.mount({.settings = {"consistency.validate=ttl", "consistency.attr_ttl=1h"}});
  write_file(cache_.outside("a"), "one");
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
  write_file(cache_.outside("a"), "two");
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
}

TEST_F(Validation, ANameThatWasNotThereIsAskedForAgainWhenTheTimeIsOver) {
  cache_.mount({.settings = {"consistency.attr_ttl=100ms"}});
  EXPECT_FALSE(exists(cache_.inside("a")));
  write_file(cache_.outside("a"), "one");
  std::this_thread::sleep_for(std::chrono::milliseconds(150));  // the time that is promised
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
}

TEST_F(Validation, ANameThatWasNotThereIsNotAskedForWithinTheTime) {
  cache_.mount({.settings = {"consistency.attr_ttl=1h"}});
  EXPECT_FALSE(exists(cache_.inside("a")));
  write_file(cache_.outside("a"), "one");
  EXPECT_FALSE(exists(cache_.inside("a")));
  // Who makes it is told the truth, and then sees it.
  EXPECT_EQ(open_errno(cache_.inside("a"), O_CREAT | O_EXCL | O_WRONLY), EEXIST);
  EXPECT_EQ(open_errno(cache_.inside("a"), O_CREAT | O_RDWR), 0);
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
}

// The kernel knows the old size for an hour.
TEST_F(Validation, AChangeThatAFetchFindsIsSeenBeforeTheTimeIsOver) {
  write_file(cache_.outside("a"), noise(8 << 20, 1));
  cache_.mount({.settings = {"consistency.attr_ttl=1h", "fetch.readahead=0"}});
  const OpenFile file(cache_.inside("a"));
  EXPECT_EQ(content_difference(noise(8 << 20, 1).substr(0, 4096), file.read_at(0, 4096)), "");
  const std::string content = noise(12 << 20, 2);
  write_file(cache_.outside("a"), content);
  // A look at the outside counts for so long while a file is fetched.
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  file.read_at(4 << 20, 4096);
  // Which does not ask for the atime, as a stat would.
  const auto seen = [&] { return ::lseek(file.fd(), 0, SEEK_END) == 12 << 20; };
  EXPECT_TRUE(cache_.wait_for([&](const Json&) { return seen(); }));
  EXPECT_EQ(content_difference(content, read_file(cache_.inside("a"))), "");
}

TEST_F(Validation, NeverTrustsTheCopy) {
  cache_.mount({.settings = {"consistency.validate=never"}});
  write_file(cache_.outside("a"), "one");
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
  write_file(cache_.outside("a"), "two");
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
}

TEST_F(Validation, ARenameOutsideIsFollowed) {
  cache_.mount({.settings = {"consistency.validate=always"}});
  write_file(cache_.outside("a"), noise(1 << 20));
  read_file(cache_.inside("a"));
  const Json fetched = cache_.status().at("fetched_bytes");
  ASSERT_EQ(::rename(cache_.outside("a").c_str(), cache_.outside("b").c_str()), 0);
  EXPECT_EQ(content_difference(noise(1 << 20), read_file(cache_.inside("b"))), "");
  EXPECT_FALSE(exists(cache_.inside("a")));
  EXPECT_EQ(cache_.status().at("fetched_bytes"), fetched) << "it was fetched again";
}

// A rename explains one change of the ctime, not the next one.
TEST_F(Validation, AChangeWithTheOldMtimeAfterARenameOutsideIsSeen) {
  cache_.mount({.settings = {"consistency.validate=always"}});
  write_file(cache_.outside("a"), "one");
  read_file(cache_.inside("a"));
  ASSERT_EQ(::rename(cache_.outside("a").c_str(), cache_.outside("b").c_str()), 0);
  EXPECT_EQ(read_file(cache_.inside("b")), "one");
  rewrite_outside_with_the_old_mtime("b", "two");
  EXPECT_EQ(read_file(cache_.inside("b")), "two");
}

TEST_F(Validation, AChangeWithTheOldMtimeIsSeenAlsoWhenTheFileHadAnotherNameBefore) {
  cache_.mount({.settings = {"consistency.validate=always"}});
  write_file(cache_.outside("a"), "one");
  stat_of(cache_.inside("a"));
  ASSERT_EQ(::rename(cache_.outside("a").c_str(), cache_.outside("b").c_str()), 0);
  EXPECT_EQ(read_file(cache_.inside("b")), "one");  // the copy is made here: the lost name was lost before
  rewrite_outside_with_the_old_mtime("b", "two");
  EXPECT_EQ(read_file(cache_.inside("b")), "two");
}

// The kernel's pages outlive the copy.
TEST_F(Validation, AChangeWithTheOldMtimeIsSeenAlsoAfterAnEviction) {
  cache_.mount({.settings = {"consistency.validate=always"}});
  write_file(cache_.outside("a"), "one");
  EXPECT_EQ(read_file(cache_.inside("a")), "one");
  cache_.run("evict", "a");
  rewrite_outside_with_the_old_mtime("a", "two");
  EXPECT_EQ(read_file(cache_.inside("a")), "two");
}

TEST_F(Validation, ARenameInsideKeepsWhatIsCached) {
  cache_.mount({.settings = {"consistency.validate=always"}});
  write_file(cache_.outside("a"), noise(1 << 20));
  read_file(cache_.inside("a"));
  const Json fetched = cache_.status().at("fetched_bytes");
  ASSERT_EQ(::rename(cache_.inside("a").c_str(), cache_.inside("b").c_str()), 0);
  EXPECT_EQ(content_difference(noise(1 << 20), read_file(cache_.inside("b"))), "");
  EXPECT_EQ(cache_.status().at("fetched_bytes"), fetched) << "it was fetched again";
}

TEST_F(Validation, ACopyOutlivesTheMount) {
  write_file(cache_.outside("same"), noise(1 << 20, 1));
  write_file(cache_.outside("changed"), noise(1 << 20, 2));
  cache_.mount();
  read_file(cache_.inside("same"));
  read_file(cache_.inside("changed"));
  cache_.unmount();
  write_file(cache_.outside("changed"), noise(1 << 20, 3));
  cache_.mount();
  EXPECT_TRUE(cache_.stat("same").at("cached"));
  EXPECT_FALSE(cache_.stat("changed").at("cached"));
  EXPECT_EQ(content_difference(noise(1 << 20, 1), read_file(cache_.inside("same"))), "");
  EXPECT_EQ(cache_.status().at("fetched_bytes"), 0);
  EXPECT_EQ(content_difference(noise(1 << 20, 3), read_file(cache_.inside("changed"))), "");
}

}  // namespace
}  // namespace forebay::test
