// Names, links, inodes and permissions, where a cache could betray itself.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <limits>

#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

class Namespace : public MountTest {
 protected:
  MountedCache cache_;
};

TEST_F(Namespace, AnUnlinkedFileIsReadToItsEndWhereNothingWasFetched) {
  write_file(cache_.outside("a"), noise(4 * kMiB));
  cache_.mount({.settings = {"cache.chunk_size=64KiB", "fetch.readahead=0"}});
  const OpenFile file(cache_.inside("a"), O_RDWR);
  ASSERT_EQ(::unlink(cache_.inside("a").c_str()), 0);
  EXPECT_FALSE(exists(cache_.outside("a"))) << "the name is gone outside at once";
  file.write_at(0, "ours");
  std::string expected = noise(4 * kMiB);
  expected.replace(0, 4, "ours");
  EXPECT_EQ(content_difference(expected, file.read_at(0, 5 * kMiB)), "");
}

// Temporary files are unlinked as soon as they are open. What they hold has to go somewhere when the cache is full.
TEST_F(Namespace, AnUnlinkedOpenFileMayBeLargerThanTheCache) {
  cache_.mount({.settings = {"cache.capacity=8MiB"}});
  const OpenFile file(cache_.inside("a"), O_RDWR | O_CREAT);
  ASSERT_EQ(::unlink(cache_.inside("a").c_str()), 0);
  const std::string content = noise(20 * kMiB);
  for (size_t at = 0; at < content.size(); at += kMiB) file.write_at(at, content.substr(at, kMiB));
  EXPECT_EQ(content_difference(content, file.read_at(0, content.size() + 1)), "");
  EXPECT_TRUE(names_in(cache_.external()).empty());
}

// The kernel asks the same for chown(-1, -1) as before a write.
TEST_F(Namespace, OnlyTheOwnerTakesSetuidBitsByAChownOfNothing) {
  cache_.mount();
  write_file(cache_.inside("tool"), "#!");
  ASSERT_EQ(::chmod(cache_.inside("tool").c_str(), 06755), 0);
  const std::vector<std::string> command{"perl", "-e", "exit(chown(-1, -1, $ARGV[0]) ? 0 : $!{EPERM} ? 7 : 8)",
                                         cache_.inside("tool")};
  EXPECT_EQ(run_process(command, {.user = kNobody}).exit_status, 7);
  EXPECT_EQ(stat_of(cache_.inside("tool")).st_mode & 07777, 06755u);
  EXPECT_EQ(run_process(command).exit_status, 0);
  EXPECT_EQ(stat_of(cache_.inside("tool")).st_mode & 07777, 0755u);
}

TEST_F(Namespace, ARenameOverAnOpenFileLeavesTheOpenOneReadable) {
  write_file(cache_.outside("old"), noise(4 * kMiB, 1));
  write_file(cache_.outside("new"), noise(kMiB, 2));
  cache_.mount({.settings = {"cache.chunk_size=64KiB", "fetch.readahead=0"}});
  const OpenFile file(cache_.inside("old"));
  ASSERT_EQ(::rename(cache_.inside("new").c_str(), cache_.inside("old").c_str()), 0);
  EXPECT_EQ(content_difference(noise(kMiB, 2), read_file(cache_.inside("old"))), "");
  EXPECT_EQ(content_difference(noise(4 * kMiB, 1), file.read_at(0, 5 * kMiB)), "");
}

// The pattern of editors: what was written last under the name is what is outside at the end.
TEST_F(Namespace, ARenameOverADirtyFileReplacesItOutside) {
  cache_.mount({.settings = {"flush.policy=manual"}});
  write_file(cache_.inside("a"), "old and dirty");
  write_file(cache_.inside("a.tmp"), "new");
  ASSERT_EQ(::rename(cache_.inside("a.tmp").c_str(), cache_.inside("a").c_str()), 0);
  EXPECT_EQ(read_file(cache_.inside("a")), "new");
  cache_.unmount();
  EXPECT_EQ(read_file(cache_.outside("a")), "new");
  EXPECT_EQ(names_in(cache_.external()), std::set<std::string>{"a"});
}

TEST_F(Namespace, HardLinksShareOneCachedCopy) {
  write_file(cache_.outside("a"), noise(kMiB));
  ASSERT_EQ(::link(cache_.outside("a").c_str(), cache_.outside("b").c_str()), 0);
  cache_.mount({.settings = {"flush.policy=manual"}});
  read_file(cache_.inside("a"));
  EXPECT_TRUE(cache_.stat("b").at("cached"));
  overwrite(cache_.inside("b"), 0, "ours");
  EXPECT_EQ(read_file(cache_.inside("a")).substr(0, 4), "ours");
  ASSERT_EQ(::link(cache_.inside("a").c_str(), cache_.inside("c").c_str()), 0);
  ASSERT_EQ(::unlink(cache_.inside("a").c_str()), 0);
  EXPECT_EQ(stat_of(cache_.inside("c")).st_nlink, 2u);
  EXPECT_EQ(stat_of(cache_.inside("c")).st_ino, stat_of(cache_.inside("b")).st_ino);
  EXPECT_EQ(cache_.status().at("dirty_files"), 1);
  EXPECT_EQ(cache_.status().at("fetched_bytes"), kMiB);
  cache_.unmount();
  EXPECT_EQ(read_file(cache_.outside("c")).substr(0, 4), "ours");
}

TEST_F(Namespace, NamesAreBytes) {
  std::string name;
  for (int byte = 1; name.size() < 255; byte = byte % 255 + 1) {
    if (byte != '/' && byte != '.') name += static_cast<char>(byte);
  }
  cache_.mount();
  write_file(cache_.inside(name), "data");
  EXPECT_EQ(names_in(cache_.external()), std::set<std::string>{name});
  EXPECT_EQ(names_in(cache_.mountpoint()), std::set<std::string>{name});
  EXPECT_TRUE(cache_.try_run("stat", name).ok());
  EXPECT_EQ(open_errno(cache_.inside(name + "x"), O_RDONLY), ENAMETOOLONG);
  cache_.unmount();
  EXPECT_EQ(read_file(cache_.outside(name)), "data");
}

TEST_F(Namespace, PathsMayHave4096Bytes) {
  cache_.mount({.settings = {"flush.policy=manual"}});
  const std::string part(200, 'd');
  std::string path = cache_.mountpoint();
  // With the terminating zero a path of 4095 is the longest that the kernel takes.
  while (path.size() + 1 + part.size() + 10 < 4095) {
    path += "/" + part;
    ASSERT_EQ(::mkdir(path.c_str(), 0755), 0) << path.size();
  }
  path += "/" + std::string(4095 - path.size() - 1, 'f');
  write_file(path, "deep");
  EXPECT_EQ(read_file(path), "deep");
  cache_.kill();
  cache_.mount({.settings = {"flush.policy=manual"}});
  EXPECT_EQ(read_file(path), "deep");
  cache_.run({"flush", cache_.mountpoint()});
  EXPECT_EQ(cache_.status().at("dirty_files"), 0);
}

TEST_F(Namespace, InodeNumbersAreTheSameAfterARemount) {
  cache_.root().make("external/d");
  write_file(cache_.outside("d/a"), "data");
  cache_.mount();
  write_file(cache_.inside("new"), "data");
  const auto numbers = [&] {
    return std::vector<ino_t>{stat_of(cache_.mountpoint()).st_ino, stat_of(cache_.inside("d")).st_ino,
                              stat_of(cache_.inside("d/a")).st_ino, stat_of(cache_.inside("new")).st_ino};
  };
  const auto before = numbers();
  cache_.unmount();
  cache_.mount();
  EXPECT_EQ(numbers(), before);
  cache_.kill();
  cache_.mount();
  EXPECT_EQ(numbers(), before);
}

TEST_F(Namespace, DfShowsTheOutside) {
  cache_.mount();
  struct statvfs in {
  }, out{};
  ASSERT_EQ(::statvfs(cache_.mountpoint().c_str(), &in), 0);
  ASSERT_EQ(::statvfs(cache_.external().c_str(), &out), 0);
  EXPECT_EQ(in.f_blocks * in.f_frsize, out.f_blocks * out.f_frsize);
  EXPECT_EQ(in.f_files, out.f_files);
  EXPECT_EQ(in.f_namemax, out.f_namemax);
  EXPECT_GT(in.f_bavail, 0u);
}

TEST_F(Namespace, OtherUsersMayWhatTheyMayOutside) {
  write_file(cache_.outside("secret"), "s");
  ASSERT_EQ(::chmod(cache_.outside("secret").c_str(), 0600), 0);
  cache_.root().make("external/shared");
  ASSERT_EQ(::chmod(cache_.outside("shared").c_str(), 01777), 0);
  write_file(cache_.outside("shared/roots"), "r");
  cache_.mount();
  read_file(cache_.inside("secret"));  // what root has cached is as secret as before
  const auto as_nobody = [&](const std::vector<std::string>& words) {
    return run_process(words, {.directory = {}, .user = kNobody}).exit_status;
  };
  EXPECT_NE(as_nobody({"cat", cache_.inside("secret")}), 0);
  EXPECT_NE(as_nobody({"touch", cache_.inside("mine")}), 0);
  EXPECT_NE(as_nobody({"rm", "-f", cache_.inside("shared/roots")}), 0) << "the directory is sticky";
  EXPECT_EQ(as_nobody({"sh", "-c", "echo mine > " + cache_.inside("shared/mine")}), 0);
  EXPECT_EQ(stat_of(cache_.outside("shared/mine")).st_uid, kNobody);
  EXPECT_NE(as_nobody({"chown", "root", cache_.inside("shared/mine")}), 0);
  cache_.unmount();
  EXPECT_EQ(read_file(cache_.outside("shared/mine")), "mine\n");
}

// A link that leads out of the external directory is a link like any other: it is followed by whoever follows it, in
// the mount's tree, never by the cache.
TEST_F(Namespace, LinksAreNotFollowedByTheCache) {
  cache_.root().make("elsewhere");
  write_file(cache_.root() / "elsewhere/f", "f");
  ASSERT_EQ(::symlink("../elsewhere", cache_.outside("out").c_str()), 0);
  cache_.mount();
  EXPECT_TRUE(S_ISLNK(stat_of(cache_.inside("out")).st_mode));
  EXPECT_EQ(read_file(cache_.inside("out/f")), "f");
  EXPECT_EQ(cache_.status().at("cached_files"), 0);
}

}  // namespace
}  // namespace forebay::test
