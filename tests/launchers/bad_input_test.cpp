// What can be wrong with nodes, their data and their programs: one line that names the node, and nothing is left of a
// start that failed. With the real daemons, on hosts of their own.
#include "tests/launchers/launched.h"

namespace forebay::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class BadInput : public Launched {
 protected:
  // The path of the program is told: a wrapped one would say another.
  ProcessResult run(const std::string& what) const {
    return hosts_->try_run(1, command(what, "ssh", {"--program", hosts_->program()}));
  }
  void expect_refusal(const testing::Matcher<const std::string&>& error) const {
    const ProcessResult started = run("start");
    EXPECT_EQ(started.exit_status, 1);
    EXPECT_THAT(started.err, error);
    EXPECT_EQ(lines_of(started.err), 1u) << started.err;
    expect_nothing_runs();
  }
  void start() const {
    const ProcessResult started = run("start");
    ASSERT_TRUE(started.ok()) << describe(started);
  }
  void stop() const {
    const ProcessResult stopped = run("stop");
    ASSERT_TRUE(stopped.ok()) << describe(stopped);
  }
  void start_and_stop() const {
    start();
    stop();
  }
  // A path in the data directory, quoted for a shell.
  std::string quoted_data(const std::string& name) const {
    return "'" + hosts_->own("data 100%h") + "'\\''s/" + name + "'";
  }
};

TEST_F(BadInput, AnExternalDirectoryThatANodeDoesNotSee) {
  hosts_->run(2, "mount -t tmpfs tmpfs " + hosts_->external());
  expect_refusal(StartsWith("forebay: n2: does not see the external directory " + hosts_->external() +
                            " as it is here: " + hosts_->external() + "/.forebay-token-"));
  expect_no_data();
}

TEST_F(BadInput, ANodeWithAnotherSecret) {
  start_and_stop();
  const std::string secret = "printf 0123456789abcdef0123456789abcdef >" + quoted_data("secret");
  hosts_->run(2, secret);
  expect_refusal(StartsWith("forebay: n2: its secret, " + data() + "/secret, is not that of n1; "));
  EXPECT_EQ(hosts_->run(2, "cat " + quoted_data("secret")), "0123456789abcdef0123456789abcdef")
      << "nothing was changed";
  hosts_->run(2, "rm " + quoted_data("secret"));
  start_and_stop();
}

// Without the launcher, which would have seen it before.
TEST_F(BadInput, ADaemonOrAMountWithAnotherSecret) {
  start();
  const std::string program = hosts_->program();
  hosts_->run(3, program + " unmount " + inside() + "; kill $(cat " + quoted_data("storaged.pid") + ")");
  hosts_->run(3, "while [ -e " + quoted_data("storaged.pid") + " ]; do sleep 0.02; done");
  hosts_->run(3, "cp " + quoted_data("secret") + " /tmp/right; tr 0-9a-f a-f0-9 </tmp/right >" + quoted_data("secret"));
  const Words daemon = {program, "storaged", "--config", data() + "/forebay.toml"};
  const Words mount = {program, "mount", hosts_->external(), inside(), "--config", data() + "/forebay.toml"};
  for (const Words& words : {daemon, mount}) {
    const ProcessResult refused = hosts_->try_run(3, words);
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_THAT(refused.err, AllOf(StartsWith("forebay: "), HasSubstr("mgmtd: 10.98.0.1:7700: knows another secret")));
    EXPECT_EQ(lines_of(refused.err), 1u) << refused.err;
  }
  EXPECT_EQ(hosts_->run(2, "cat " + inside("file")), "content") << "the others are not disturbed";
  hosts_->run(3, "cat /tmp/right >" + quoted_data("secret") + "; rm /tmp/right");
  start();
  stop();
}

TEST_F(BadInput, AProgramOfAnotherVersion) {
  hosts_->wrap_program(3, "FOREBAY_FAULTS=later-version", hosts_->faulty_program());
  expect_refusal(AllOf(StartsWith("forebay: n3: "),
                       HasSubstr(" refuses this side: it speaks protocol versions 2 to 2, and the server 1 to 1; ")));
}

TEST_F(BadInput, AManagerOfAnotherVersion) {
  hosts_->wrap_program(1, "FOREBAY_FAULTS=later-version", hosts_->faulty_program());
  const ProcessResult started = run("start");
  EXPECT_EQ(started.exit_status, 1);
  for (const char* node : {"n2", "n3"}) {
    EXPECT_THAT(started.err, HasSubstr(std::string("forebay: ") + node + ": "));
  }
  EXPECT_THAT(started.err,
              HasSubstr(" refuses this side: it speaks protocol versions 1 to 1, and the server 2 to 2; "));
  EXPECT_EQ(lines_of(started.err), 2u) << started.err;
  expect_nothing_runs();
}

TEST_F(BadInput, ATargetThatIsThereTwice) {
  start_and_stop();
  const std::string of_2 = hosts_->from_outside(2, "data 100%h's"), of_3 = hosts_->from_outside(3, "data 100%h's");
  ASSERT_TRUE(run_process({"mv", of_3 + "/target", of_3 + "/own-target"}).ok());
  ASSERT_TRUE(run_process({"cp", "-a", of_2 + "/target", of_3}).ok());
  // Who comes second is refused.
  expect_refusal(AllOf(testing::ContainsRegex("^forebay: n[23]: "), HasSubstr("/target of n"),
                       HasSubstr(" already; was its directory copied?")));
  ASSERT_TRUE(run_process({"rm", "-r", of_3 + "/target"}).ok());
  ASSERT_TRUE(run_process({"mv", of_3 + "/own-target", of_3 + "/target"}).ok());
  start_and_stop();
}

TEST_F(BadInput, DataOfAnotherCluster) {
  start_and_stop();
  const std::string of_1 = hosts_->from_outside(1, "data 100%h's");
  ASSERT_TRUE(run_process({"rm", "-r", of_1 + "/mgmtd", of_1 + "/metad", of_1 + "/target"}).ok());
  const ProcessResult started = run("start");
  EXPECT_EQ(started.exit_status, 1);
  for (const char* node : {"n2", "n3"}) {
    EXPECT_THAT(started.err, HasSubstr(std::string("forebay: ") + node + ": "));
  }
  EXPECT_THAT(started.err, HasSubstr("refuses this side: it has the data of cluster "));
  EXPECT_EQ(lines_of(started.err), 2u) << started.err;
  expect_nothing_runs();
}

// No reason not to start; but whoever compares times of files will wonder.
TEST_F(BadInput, AClockThatDiffersByMinutesIsWarnedOf) {
  hosts_->wrap_program(
      3, "FAKETIME=+10m FAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD='/usr/$LIB/faketime/libfaketimeMT.so.1'",
      hosts_->program_as_built());
  const ProcessResult started = run("start");
  EXPECT_TRUE(started.ok());
  EXPECT_THAT(started.err, testing::MatchesRegex("forebay: n3: warning: its clock is (599|600|601) s ahead\n"));
  EXPECT_THAT(hosts_->run(1, "cat " + quoted_data("mgmtd.log")),
              testing::ContainsRegex("n3: its clock is (599|600|601) s ahead of that of this node"));
  stop();
}

}  // namespace
}  // namespace forebay::test
