#include "core/result.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>

namespace forebay {
namespace {

TEST(Error, MessageSaysWhatWhereAndWhy) {
  EXPECT_EQ((Error{ENOENT, "target /fast"}.message()), "target /fast: No such file or directory");
}

TEST(Error, MessageWithoutContextIsTheReasonAlone) {
  EXPECT_EQ((Error{ENOSPC, {}}.message()), "No space left on device");
}

TEST(Error, MessageOfACodeThatNobodyKnowsIsStillALine) {
  EXPECT_EQ((Error{123456, "here"}.message()), "here: unknown error");
}

TEST(Fail, CarriesCodeAndFormattedContext) {
  const Status status = fail(EBUSY, "inode {}: {}", 7, "in use");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, EBUSY);
  EXPECT_EQ(status.error().context, "inode 7: in use");
}

TEST(FailErrno, TakesTheErrnoOfTheCallThatJustFailed) {
  ASSERT_EQ(::open("/nonexistent/file", O_RDONLY), -1);
  const Status status = fail_errno("file {}", "x");
  EXPECT_EQ(status.error().code, ENOENT);
  EXPECT_EQ(status.error().context, "file x");
}

Status returns_early(const Status& inner, bool* went_on) {
  RETURN_IF_ERROR(inner);
  *went_on = true;
  return {};
}

TEST(ReturnIfError, LeavesWithTheErrorAndOnlyThen) {
  bool went_on = false;
  const Status failed = returns_early(fail(EIO, "disk"), &went_on);
  EXPECT_FALSE(went_on);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, EIO);
  EXPECT_EQ(failed.error().context, "disk");
  EXPECT_TRUE(returns_early({}, &went_on));
  EXPECT_TRUE(went_on);
}

Result<int> doubled(Result<std::unique_ptr<int>> source) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> value, std::move(source));
  return *value * 2;
}

TEST(AssignOrReturn, MovesTheValueOutOrLeavesWithTheError) {
  EXPECT_EQ(doubled(std::make_unique<int>(21)).value(), 42);
  const Result<int> failed = doubled(fail(ESTALE, "gone"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ESTALE);
  EXPECT_EQ(failed.error().context, "gone");
}

}  // namespace
}  // namespace forebay
