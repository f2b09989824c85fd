#include "cachefs/mount_table.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace forebay::cachefs {
namespace {

TEST(ParseMountTable, ReadsTheKernelsLines) {
  const auto table = parse_mount_table(
      "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
      "36 27 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
      "44 27 0:39 / /fast rw - fuse.forebay /gpfs/project rw,user_id=0\n");
  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(table[1].mountpoint, "/mnt2");
  EXPECT_EQ(table[1].type, "ext3");
  EXPECT_EQ(table[1].source, "/dev/root");
  EXPECT_EQ(table[1].device, makedev(98, 0));
  EXPECT_EQ(table[2].type, kMountType);
  EXPECT_EQ(table[2].source, "/gpfs/project");
}

TEST(ParseMountTable, UnescapesPaths) {
  const auto table = parse_mount_table(R"(44 27 0:39 / /a\040b\011c\012d\134e - fuse.forebay x\040y rw)"
                                       "\n"
                                       R"(44 27 0:39 / /odd\04\9 rw - tmpfs none rw)");
  ASSERT_EQ(table.size(), 1u) << "the first has no options: no line of the kernel's";
  EXPECT_EQ(table[0].mountpoint, R"(/odd\04\9)");
  const auto escaped = parse_mount_table(R"(44 27 0:39 / /a\040b\011c\012d\134e rw - fuse.forebay x\040y rw)");
  ASSERT_EQ(escaped.size(), 1u);
  EXPECT_EQ(escaped[0].mountpoint, "/a b\tc\nd\\e");
  EXPECT_EQ(escaped[0].source, "x y");
}

TEST(ParseMountTable, LeavesOutWhatIsNoLine) {
  EXPECT_TRUE(parse_mount_table("").empty());
  EXPECT_TRUE(parse_mount_table("\n\nnonsense\n1 2 3 4 5 6 7 8 9\n").empty());
  EXPECT_TRUE(parse_mount_table("1 2 x:y / /m rw - ext4 dev rw").empty());
  EXPECT_TRUE(parse_mount_table("1 2 8:1 / /m rw -").empty());
}

TEST(FindMountAt, TakesTheOneOnTop) {
  const auto table = parse_mount_table(
      "1 0 0:1 / /m rw - fuse.forebay below rw\n"
      "2 1 0:2 / /m rw - tmpfs above rw\n"
      "3 1 0:3 / /m/deep rw - ext4 other rw\n");
  ASSERT_TRUE(find_mount_at(table, "/m"));
  EXPECT_EQ(find_mount_at(table, "/m")->source, "above");
  EXPECT_FALSE(find_mount_at(table, "/"));
  EXPECT_FALSE(find_mount_at(table, "/m/"));
  EXPECT_FALSE(find_mount_at(table, "/m/dee"));
}

TEST(ReadMountTable, KnowsProc) {
  const auto table = read_mount_table();
  ASSERT_TRUE(table);
  const auto proc = find_mount_at(*table, "/proc");
  ASSERT_TRUE(proc);
  EXPECT_EQ(proc->type, "proc");
}

TEST(FindMountOf, TellsPathsOutsideFromMissingOnes) {
  const auto outside = find_mount_of("/etc/passwd");
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, ENOTTY);
  EXPECT_EQ(outside.error().context, "/etc/passwd: not inside a forebay mount");
  const auto missing = find_mount_of("/no/such/path");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
}

TEST(ResolvePath, IsAbsoluteAndWithoutLinks) {
  const test::TempDir directory;
  const std::string real = directory.make("real/deep");
  std::filesystem::create_symlink(directory / "real", directory / "link");
  EXPECT_EQ(resolve_path(directory / "link/./deep/").value(), real);
  EXPECT_EQ(resolve_path(directory / "link/deep/../deep///").value(), real);
  EXPECT_EQ(resolve_path("/").value(), "/");
  EXPECT_EQ(resolve_path("///").value(), "/");
  EXPECT_EQ(resolve_path(directory / "nowhere").error().code, ENOENT);
  EXPECT_EQ(resolve_path("").error().code, ENOENT);
}

TEST(IsDeadMount, IsFalseForWhatAnswersOrIsMissing) {
  EXPECT_FALSE(is_dead_mount("/"));
  EXPECT_FALSE(is_dead_mount("/no/such/path"));
}

TEST(DetachMount, FailsWhereNothingIsMounted) {
  const test::TempDir directory;
  const Status detached = detach_mount(directory.path(), false);
  ASSERT_FALSE(detached);
  EXPECT_EQ(detached.error().code, ::geteuid() == 0 ? EINVAL : EPERM);
}

}  // namespace
}  // namespace forebay::cachefs
