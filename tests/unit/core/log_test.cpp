#include "core/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace forebay {
namespace {

using test::read_file;
using test::TempDir;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

// The log is one for the process: every test leaves it as it would be without start_log().
class Log : public testing::Test {
 protected:
  void TearDown() override { ASSERT_TRUE(start_log("stderr", "warn")); }
  TempDir directory_;
  std::string file_ = directory_ / "forebay.log";
};

TEST_F(Log, WritesTimeLevelAndModule) {
  ASSERT_TRUE(start_log(file_, "info"));
  log(Module::kStorage).warn("chunk file {} is odd", 7);
  EXPECT_THAT(read_file(file_),
              ContainsRegex("^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]{12} warning storage: chunk file 7 is odd\n$"));
}

TEST_F(Log, LevelsAreForEachModule) {
  ASSERT_TRUE(start_log(file_, "warn,storage=debug,meta=off"));
  log(Module::kStorage).debug("one");
  log(Module::kCore).info("two");
  log(Module::kCore).warn("three");
  log(Module::kMeta).critical("four");
  const std::string text = read_file(file_);
  EXPECT_THAT(text, HasSubstr("one"));
  EXPECT_THAT(text, Not(HasSubstr("two")));
  EXPECT_THAT(text, HasSubstr("three"));
  EXPECT_THAT(text, Not(HasSubstr("four")));
}

TEST_F(Log, SingleLevelsMayComeFirstOrAlone) {
  ASSERT_TRUE(start_log(file_, "storage=trace,error"));
  log(Module::kStorage).trace("one");
  log(Module::kCli).warn("two");
  ASSERT_TRUE(start_log(file_, "meta=debug"));
  log(Module::kCli).info("three");
  const std::string text = read_file(file_);
  EXPECT_THAT(text, HasSubstr("one"));
  EXPECT_THAT(text, Not(HasSubstr("two")));
  EXPECT_THAT(text, HasSubstr("three")) << "info is the level of those that are not named";
}

TEST_F(Log, AppendsToAFile) {
  test::write_file(file_, "before\n");
  ASSERT_TRUE(start_log(file_, "info"));
  log(Module::kCli).info("after");
  EXPECT_THAT(read_file(file_), ContainsRegex("^before\n.*after\n$"));
}

TEST_F(Log, RefusesUnknownLevelsAndModules) {
  for (const char* level : {"", "loud", "info,", "info,debug", "storage=", "strage=debug", "=debug",
                            "info storage=debug", "INFO", "storage=debug=info"}) {
    const Status checked = check_log_level(level);
    ASSERT_FALSE(checked) << level;
    EXPECT_EQ(checked.error().code, EINVAL) << level;
    const Status started = start_log(file_, level);
    ASSERT_FALSE(started) << level;
    EXPECT_EQ(started.error().code, EINVAL) << level;
  }
  EXPECT_TRUE(check_log_level("info"));
  EXPECT_TRUE(
      check_log_level("trace,core=off,meta=warn,storage=info,consistency=error,evictor=critical,cachefs=debug,"
                      "mgmt=trace,cli=info"));
}

TEST_F(Log, SaysWhyAFileCannotBeWritten) {
  const Status missing = start_log(directory_ / "no/such/forebay.log", "info");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_THAT(missing.error().message(), HasSubstr("no/such/forebay.log"));
  const Status directory = start_log(directory_.path(), "info");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, EISDIR);
}

TEST_F(Log, AFailedStartLeavesTheLogAsItWas) {
  ASSERT_TRUE(start_log(file_, "info"));
  ASSERT_FALSE(start_log(directory_ / "no/such/forebay.log", "off"));
  log(Module::kCli).info("still here");
  EXPECT_THAT(read_file(file_), HasSubstr("still here"));
}

}  // namespace
}  // namespace forebay
