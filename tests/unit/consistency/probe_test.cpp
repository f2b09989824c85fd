#include "consistency/probe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consistency/external_tree.h"
#include "tests/support/temp_dir.h"

namespace forebay::consistency {
namespace {

class ProbeTest : public testing::Test {
 protected:
  Probe look(const char* name) {
    const Result<Probe> probe = tree_->probe_child(tree_->root_fd(), name);
    EXPECT_TRUE(probe) << name;
    return probe.value_or(Probe{});
  }

  test::TempDir dir_;
  std::unique_ptr<ExternalTree> tree_ = ExternalTree::open(dir_.path()).value();
};

TEST_F(ProbeTest, ShowsWhatStatShows) {
  test::write_file(dir_ / "file", "0123456789");
  ASSERT_EQ(::chmod((dir_ / "file").c_str(), 04751), 0);
  const timespec times[2] = {{-100, 5}, {1'234'567'890, 987'654'321}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (dir_ / "file").c_str(), times, 0), 0);
  struct stat expected;
  ASSERT_EQ(::stat((dir_ / "file").c_str(), &expected), 0);
  const Probe probe = look("file");
  EXPECT_EQ(probe.attributes.mode, expected.st_mode);
  EXPECT_EQ(probe.attributes.size, 10u);
  EXPECT_EQ(probe.attributes.inode_number, expected.st_ino);
  EXPECT_EQ(probe.attributes.link_count, 1u);
  EXPECT_EQ(probe.attributes.atime, (FileTime{-100, 5}));
  EXPECT_EQ(probe.attributes.mtime, (FileTime{1'234'567'890, 987'654'321}));
  EXPECT_EQ(probe.attributes.ctime, FileTime::of(expected.st_ctim));
  EXPECT_EQ(probe.version, (Validator{probe.attributes.mtime, probe.attributes.ctime, 10, expected.st_ino}));
  EXPECT_EQ(probe.identity.device, 0u) << "the device of the link itself has no number that a reboot could change";
  EXPECT_FALSE(probe.is_mount_root);
}

TEST_F(ProbeTest, FollowsNoSymlink) {
  ASSERT_EQ(::symlink("/etc/passwd", (dir_ / "link").c_str()), 0);
  EXPECT_TRUE(S_ISLNK(look("link").attributes.mode));
}

TEST_F(ProbeTest, ByNameAndByDescriptorItIsTheSame) {
  test::write_file(dir_ / "file", "x");
  const UniqueFd fd = ExternalTree::open_child(tree_->root_fd(), "file", O_PATH).value();
  const Probe by_fd = tree_->probe_fd(fd.get()).value();
  EXPECT_EQ(by_fd.identity, look("file").identity);
  EXPECT_EQ(by_fd.version, look("file").version);
  EXPECT_EQ(tree_->probe_fd(fd.get(), Freshness::kServer).value().version, by_fd.version);
}

TEST_F(ProbeTest, IdentityStaysOverRenamesAndChangesAndIsSharedByHardLinks) {
  test::write_file(dir_ / "file", "x");
  const Identity identity = look("file").identity;
  ASSERT_EQ(::rename((dir_ / "file").c_str(), (dir_ / "moved").c_str()), 0);
  EXPECT_EQ(look("moved").identity, identity);
  ASSERT_EQ(::link((dir_ / "moved").c_str(), (dir_ / "linked").c_str()), 0);
  EXPECT_EQ(look("linked").identity, identity);
  test::write_file(dir_ / "moved", "other content");
  EXPECT_EQ(look("moved").identity, identity);
}

TEST_F(ProbeTest, EachChangeIsAnotherVersion) {
  test::write_file(dir_ / "file", "x");
  const Validator version = look("file").version;
  test::write_file(dir_ / "file", "xy");
  EXPECT_NE(look("file").version, version);
  // Another object of the same content.
  const Validator longer = look("file").version;
  test::write_file(dir_ / "other", "xy");
  ASSERT_EQ(::rename((dir_ / "other").c_str(), (dir_ / "file").c_str()), 0);
  EXPECT_NE(look("file").version, longer);
}

TEST_F(ProbeTest, SaysWhenThereIsNothing) {
  EXPECT_EQ(tree_->probe_child(tree_->root_fd(), "missing").error().code, ENOENT);
  test::write_file(dir_ / "file", "x");
  const UniqueFd fd = ExternalTree::open_child(tree_->root_fd(), "file", O_PATH).value();
  EXPECT_EQ(tree_->probe_child(fd.get(), "below").error().code, ENOTDIR);
  EXPECT_EQ(tree_->probe_fd(-1).error().code, EBADF);
}

TEST_F(ProbeTest, ObjectsOfAnotherFileSystemHaveTheirDevice) {
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY));
  const Probe probe = tree_->probe_child(proc.get(), "self").value();
  EXPECT_NE(probe.identity.device, 0u);
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY));
  EXPECT_TRUE(tree_->probe_child(root.get(), "proc").value().is_mount_root);
}

}  // namespace
}  // namespace forebay::consistency
