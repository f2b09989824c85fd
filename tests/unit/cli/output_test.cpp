#include "cli/output.h"

#include <gtest/gtest.h>

namespace forebay::cli {
namespace {

TEST(OneLine, KeepsTextAndShowsControlCharacters) {
  EXPECT_EQ(one_line("plain /päth"), "plain /päth");
  EXPECT_EQ(one_line("a\nb\tc\x1b[0m\x7f"), "a\\nb\\tc\\x1b[0m\\x7f");
  EXPECT_EQ(one_line(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(ErrorText, AddsTheReasonOfTheKernel) {
  EXPECT_EQ(error_text({ENOENT, "external directory /x"}), "external directory /x: No such file or directory");
  EXPECT_EQ(error_text({ENOENT, ""}), "No such file or directory");
}

TEST(ErrorText, LeavesOurOwnReasonsAlone) {
  EXPECT_EQ(error_text({EINVAL, "evict.low: 95% is not below 90%"}), "evict.low: 95% is not below 90%");
  EXPECT_EQ(error_text({ENOTSUP, "not in this version"}), "not in this version");
  EXPECT_EQ(error_text({EINVAL, ""}), "Invalid argument");
}

TEST(Report, WritesOneLineToStderr) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(report({EIO, "a\nb"}), kExitFailure);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "forebay: a\\nb: Input/output error\n");
}

}  // namespace
}  // namespace forebay::cli
