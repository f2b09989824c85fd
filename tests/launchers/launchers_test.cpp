// forebay cluster start and stop over real launchers: sshd, pdsh and Slurm, with the real daemons, on hosts of their
// own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/launchers/launched.h"
#include "tests/support/real_slurm.h"

namespace forebay::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
// One tree on all hosts, and after `stop` everything outside and nothing left, whatever starts it.
class LaunchedBy : public Launched, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Launched::SetUp();
    if (!IsSkipped() && launcher() == "srun") slurm_.emplace(*hosts_);
  }

  std::string launcher() const { return GetParam(); }
  ProcessResult run(const std::string& what, const Words& more = {}) const {
    const Words words = command(what, launcher(), more);
    return slurm_ ? slurm_->in_job(words) : hosts_->try_run(1, words);
  }

  std::optional<RealSlurm> slurm_;
};

TEST_P(LaunchedBy, HostsHaveOneTree) {
  const ProcessResult started = run("start", {"--metad", "2"});
  ASSERT_TRUE(started.ok()) << describe(started);
  EXPECT_EQ(started.err, "");
  for (int host = 1; host <= kHosts; ++host) {
    EXPECT_EQ(hosts_->run(host, "cat " + inside("file")), "content");
    hosts_->run(host, "hostname >" + inside("of-$(hostname)"));
    EXPECT_EQ(hosts_->run(host, "stat -c %a '" + hosts_->own("data 100%h") + "'\\''s/secret'"), "600\n");
  }
  for (int host = 1; host <= kHosts; ++host) EXPECT_EQ(hosts_->run(host, "cat " + inside("of-*")), "n1\nn2\nn3\n");
  const ProcessResult again = run("start", {"--metad", "2"});
  EXPECT_EQ(again.err, "forebay: the cluster runs already, on n1, n2, n3; nothing was changed\n");

  const ProcessResult stopped = run("stop", {"--purge"});
  ASSERT_TRUE(stopped.ok()) << describe(stopped);
  EXPECT_EQ(stopped.err, "");
  EXPECT_EQ(read_file(hosts_->external() + "/of-n3"), "n3\n");
  expect_nothing_runs();
  expect_no_data();
}

// The real daemons, half of them started: the last host's has no port.
class LaunchedInPart : public LaunchedBy {};

TEST_P(LaunchedInPart, NothingIsLeftOfAStartThatFailed) {
  hosts_->run(3,
              "python3 -c 'import socket, time; s = socket.create_server((\"10.98.0.3\", 7702)); time.sleep(600)' "
              ">/dev/null 2>&1 & while ! ss -Hltn | grep -q :7702; do sleep 0.02; done");
  const ProcessResult started = run("start");
  EXPECT_EQ(started.exit_status, 1);
  EXPECT_THAT(started.err, HasSubstr("forebay: n3: 10.98.0.3:7702: Address already in use"));
  EXPECT_EQ(lines_of(started.err), 1u) << started.err;
  expect_nothing_runs();
  EXPECT_FALSE(exists(hosts_->from_outside(1, "fast")));
}

INSTANTIATE_TEST_SUITE_P(Real, LaunchedBy, testing::Values("ssh", "pdsh", "srun"),
                         [](const auto& instance) { return std::string(instance.param); });
INSTANTIATE_TEST_SUITE_P(Real, LaunchedInPart, testing::Values("ssh", "srun"),
                         [](const auto& instance) { return std::string(instance.param); });

class LaunchedOverSsh : public LaunchedBy {
 protected:
  // One line, of that node and its launcher; and nothing is started anywhere.
  void expect_refusal(const std::string& node, const std::string& why) const {
    const ProcessResult started = run("start");
    EXPECT_EQ(started.exit_status, 1);
    EXPECT_EQ(started.err, "forebay: " + node + ": cannot be reached by " + launcher() + ": " + why + "\n");
    expect_nothing_runs();
    expect_no_data();
  }
};

TEST_P(LaunchedOverSsh, ANodeWithoutSshdIsNamed) {
  hosts_->end_sshd(2);
  expect_refusal("n2", "ssh: connect to host n2 port 22: Connection refused");
}

// What it has may not be outside yet.
TEST_P(LaunchedOverSsh, NothingIsStoppedWithoutANode) {
  ASSERT_TRUE(run("start").ok());
  hosts_->end_sshd(2);
  const ProcessResult stopped = run("stop");
  EXPECT_EQ(stopped.exit_status, 1);
  EXPECT_THAT(stopped.err, HasSubstr("forebay: n2: cannot be reached by " + launcher() + ": ssh: connect to host n2"));
  EXPECT_THAT(stopped.err, HasSubstr("; nothing was stopped\n"));
  EXPECT_EQ(hosts_->run(3, "cat " + inside("file")), "content");
}

TEST_P(LaunchedOverSsh, ANodeThatRefusesTheKeyIsNamed) {
  hosts_->forget_keys(3);
  expect_refusal("n3", "root@n3: Permission denied (publickey).");
}

TEST_P(LaunchedOverSsh, ANodeThatIsAnotherIsNamed) {
  hosts_->change_host_key(2);
  const ProcessResult started = run("start");
  EXPECT_EQ(started.exit_status, 1);
  EXPECT_THAT(started.err, StartsWith("forebay: n2: cannot be reached by " + launcher() + ": ..."));
  EXPECT_THAT(started.err, HasSubstr("Host key for n2 has changed"));
  EXPECT_THAT(started.err, HasSubstr("Host key verification failed.\n"));
  EXPECT_EQ(lines_of(started.err), 1u) << started.err;
  expect_nothing_runs();
}

INSTANTIATE_TEST_SUITE_P(Real, LaunchedOverSsh, testing::Values("ssh", "pdsh"),
                         [](const auto& instance) { return std::string(instance.param); });

class LaunchedBySlurm : public Launched {
 protected:
  // Of docs/slurm, for the directories of these hosts.
  void install(const std::string& name) const {
    std::string script = read_file(FOREBAY_DOCS "/slurm/" + name);
    const std::vector<std::pair<std::string, std::string>> places = {
        {"/var/lib/forebay", hosts_->own("lib")},
        {"/nvme/", hosts_->own("")},
        {"--mount /fast", "--mount " + inside()},
        {"/gpfs/project", hosts_->external()},
        {"PATH=/", "PATH=" + hosts_->program_directory() + ":/"}};
    for (const auto& [from, to] : places) {
      for (size_t at = script.find(from); at != script.npos; at = script.find(from, at + to.size()))
        script.replace(at, from.size(), to);
    }
    write_file(hosts_->shared(name), script);
    ::chmod(hosts_->shared(name).c_str(), 0755);
  }
};

TEST_F(LaunchedBySlurm, OutsideOfAJobIsRefused) {
  for (const char* what : {"start", "stop"}) {
    const ProcessResult refused = hosts_->try_run(1, command(what, "srun"));
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_EQ(refused.err,
              "forebay: --launcher srun: this is no job of Slurm; give the command within salloc or sbatch\n");
  }
}

// Where Slurm ends what a step leaves behind, no daemon would stay.
TEST_F(LaunchedBySlurm, StepsThatTakeDaemonsWithThemAreRefused) {
  const RealSlurm slurm(*hosts_, "ProctrackType=proctrack/cgroup\n", false);
  const ProcessResult refused = hosts_->try_run(1, command("start", "srun"), {"SLURM_JOB_ID=1"});
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_EQ(
      refused.err,
      "forebay: --launcher srun: this Slurm (proctrack/cgroup) would end the daemons at once; use --launcher ssh\n");
}

// Slurm begins the second job while the epilog of the first still runs.
TEST_F(LaunchedBySlurm, EachJobHasACacheByPrologAndEpilog) {
  install("prolog.sh");
  install("epilog.sh");
  for (int host = 1; host <= kHosts; ++host) hosts_->run(host, "mkdir -p " + hosts_->own("lib"));
  const RealSlurm slurm(*hosts_, "PrologSlurmctld=" + hosts_->shared("prolog.sh") +
                                     "\nEpilogSlurmctld=" + hosts_->shared("epilog.sh") + "\n");
  const std::string work =
      "srun sh -c \"date >" + inside("$SLURM_JOB_ID-\\$(hostname)") + "; ls " + hosts_->own("") + "\"";
  slurm.submit(work);
  slurm.submit(work);
  slurm.await_jobs();
  hosts_->run(1, "while ls " + hosts_->own("lib") + "/job-* >/dev/null 2>&1; do sleep 0.1; done");
  const std::string log = hosts_->run(1, "cat " + hosts_->own("lib/log"));
  EXPECT_EQ(log, "");
  for (const char* file : {"1-n1", "1-n3", "2-n1", "2-n2", "2-n3"})
    EXPECT_TRUE(exists(hosts_->external() + "/" + file));
  EXPECT_EQ(hosts_->run(1, "ls " + hosts_->own("lib")), "log\n");
  expect_nothing_runs();
  EXPECT_EQ(names_in(hosts_->from_outside(2, "")), (std::set<std::string>{"fast", "lib"}));
}

}  // namespace
}  // namespace forebay::test
