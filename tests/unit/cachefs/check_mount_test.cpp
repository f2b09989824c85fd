// What check_mount() returns; what a person sees of it is in tests/mount/bad_input_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "cachefs/mount.h"
#include "tests/support/temp_dir.h"

namespace forebay::cachefs {
namespace {

using testing::HasSubstr;

class CheckMount : public testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "no access to /dev/fuse";
  }

  Error refused() {
    const Status checked = check_mount(options_);
    EXPECT_FALSE(checked);
    return checked ? Error{0, {}} : checked.error();
  }

  test::TempDir top_;
  MountOptions options_{
      .external = top_.make("external"), .mountpoint = top_.make("mount"), .caches = {top_ / "cache"}};
};

TEST_F(CheckMount, ResolvesAllPathsAndMakesNothing) {
  std::filesystem::create_symlink(top_.path(), top_ / "link");
  options_ = {
      .external = top_ / "link/external/.", .mountpoint = top_ / "link/mount/", .caches = {top_ / "link/cache"}};
  const Status checked = check_mount(options_);
  ASSERT_TRUE(checked) << checked.error().message();
  EXPECT_EQ(options_.external, top_ / "external");
  EXPECT_EQ(options_.mountpoint, top_ / "mount");
  EXPECT_EQ(options_.caches, std::vector<std::string>{top_ / "cache"});
  EXPECT_FALSE(std::filesystem::exists(top_ / "cache"));
}

TEST_F(CheckMount, ChoosesACacheDirectory) {
  options_.caches.clear();
  const Status checked = check_mount(options_);
  ASSERT_TRUE(checked) << checked.error().message();
  ASSERT_EQ(options_.caches.size(), 1u);
  EXPECT_THAT(options_.caches[0], HasSubstr("/forebay/external-"));
}

TEST_F(CheckMount, ErrorsHaveTheErrnoOfTheirReason) {
  const auto code_with = [this](auto change) {
    const MountOptions before = options_;
    change(options_);
    const int code = refused().code;
    options_ = before;
    return code;
  };
  test::write_file(top_ / "file", "x");
  EXPECT_EQ(code_with([&](auto& options) { options.external = top_ / "nowhere"; }), ENOENT);
  EXPECT_EQ(code_with([&](auto& options) { options.external = top_ / "file"; }), ENOTDIR);
  EXPECT_EQ(code_with([&](auto& options) { options.mountpoint = top_ / "nowhere"; }), ENOENT);
  EXPECT_EQ(code_with([&](auto& options) { options.mountpoint = top_ / "file"; }), ENOTDIR);
  EXPECT_EQ(code_with([&](auto& options) { options.mountpoint = top_.path(); }), EINVAL);
  EXPECT_EQ(code_with([&](auto& options) { options.caches = {top_ / "file"}; }), ENOTDIR);
  EXPECT_EQ(code_with([&](auto& options) { options.caches = {top_ / "a", top_ / "b"}; }), ENOTSUP);
  EXPECT_EQ(code_with([&](auto& options) { options.fuse_options = {"noexce"}; }), EINVAL);
  test::write_file(top_ / "mount/file", "x");
  EXPECT_EQ(code_with([](auto&) {}), ENOTEMPTY);
}

}  // namespace
}  // namespace forebay::cachefs
