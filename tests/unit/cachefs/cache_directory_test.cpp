#include "cachefs/cache_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace forebay::cachefs {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::MatchesRegex;

class CacheDirectory : public testing::Test {
 protected:
  test::TempDir top_;
};

TEST_F(CacheDirectory, DefaultsTellExternalDirectoriesApart) {
  const std::string one = default_cache_directory("/gpfs/a/project").value();
  EXPECT_THAT(one, MatchesRegex(".*/forebay/project-[0-9a-f]{8}"));
  const bool root = ::geteuid() == 0;
  EXPECT_EQ(one.starts_with("/var/cache/forebay/"), root) << one;
  EXPECT_EQ(default_cache_directory("/gpfs/a/project").value(), one) << "the next mount finds it again";
  EXPECT_NE(default_cache_directory("/gpfs/b/project").value(), one);
  EXPECT_THAT(default_cache_directory("/").value(), MatchesRegex(".*/root-[0-9a-f]{8}"));
}

TEST_F(CacheDirectory, DefaultsAreNamesThatFileSystemsTake) {
  const fs::path cache = default_cache_directory("/gpfs/" + std::string(255, 'x')).value();
  EXPECT_LE(cache.filename().string().size(), 255u);
}

TEST_F(CacheDirectory, ResolvesWhatDoesNotExistYet) {
  fs::create_symlink(top_.make("real"), top_ / "link");
  EXPECT_EQ(resolve_cache_directory(top_ / "link", false).value(), top_ / "real");
  EXPECT_EQ(resolve_cache_directory(top_ / "link/cache/", false).value(), top_ / "real/cache");
  EXPECT_EQ(resolve_cache_directory(top_ / "link/no/such", true).value(), top_ / "real/no/such");
  EXPECT_EQ(resolve_cache_directory("/no-such-directory", false).value(), "/no-such-directory");
}

TEST_F(CacheDirectory, WantsTheParentOfAChosenOne) {
  const auto resolved = resolve_cache_directory(top_ / "no/such", false);
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error().code, ENOENT);
  EXPECT_EQ(resolved.error().context, "cache directory " + (top_ / "no/such"));
  EXPECT_FALSE(resolve_cache_directory("", false));
  EXPECT_FALSE(resolve_cache_directory("", true));
}

TEST_F(CacheDirectory, ChecksAndChangesNothing) {
  EXPECT_TRUE(check_cache_directory(top_ / "new"));
  EXPECT_TRUE(check_cache_directory(top_ / "several/new/ones"));
  EXPECT_TRUE(check_cache_directory(top_.path()));
  EXPECT_TRUE(fs::is_empty(top_.path()));
  test::write_file(top_ / "file", "x");
  EXPECT_EQ(check_cache_directory(top_ / "file").error().code, ENOTDIR);
  EXPECT_EQ(check_cache_directory("/proc/forebay").has_value(), false);
}

TEST_F(CacheDirectory, IsMadeForItsOwnerAlone) {
  EXPECT_THAT(make_cache_directory(top_ / "a/b").value(), ElementsAre(top_ / "a", top_ / "a/b"));
  struct stat attributes {};
  ASSERT_EQ(::stat((top_ / "a/b").c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_mode & 07777, 0700u);
  EXPECT_THAT(make_cache_directory(top_ / "a/b").value(), IsEmpty()) << "it was there";
}

TEST_F(CacheDirectory, CannotBeMadeInAFile) {
  test::write_file(top_ / "file", "x");
  const auto made = make_cache_directory(top_ / "file/cache");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ENOTDIR);
}

}  // namespace
}  // namespace forebay::cachefs
