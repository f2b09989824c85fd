#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/cluster/launcher.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Words = std::vector<std::string>;

const Words kAwkward = {"a b", "it's",        "\"q\"",     "$HOME", "`x`", "",
                        "*",   "back\\slash", "new\nline", "100%h", "-n",  "~"};

// A directory with programs, at the front of $PATH.
class FakePrograms {
 public:
  FakePrograms() { ::setenv("PATH", (directory_.path() + ":" + before_).c_str(), 1); }
  ~FakePrograms() { ::setenv("PATH", before_.c_str(), 1); }

  void add(const std::string& name, const std::string& script) const {
    test::write_file(directory_ / name, "#!/bin/sh\n" + script);
    ::chmod((directory_ / name).c_str(), 0755);
  }

 private:
  test::TempDir directory_;
  std::string before_ = std::getenv("PATH");
};

Outcome run_on(std::string_view launcher, const NodeCommand& command, const RunLimits& limits = {.deadline = 20s}) {
  return make_launcher(launcher, {command.host}, "/d").value()->run({command}, limits).front();
}

// Prints each word in brackets, after its stdin.
const Words kTellWords = {"sh", "-c", R"(cat; printf '[%s]' "$@")", "sh"};

TEST(ShellLine, GivesBackTheSameWords) {
  Words words = kTellWords;
  words.insert(words.end(), kAwkward.begin(), kAwkward.end());
  std::string expected;
  for (const std::string& word : kAwkward) expected += "[" + word + "]";
  EXPECT_EQ(test::run_process({"sh", "-c", shell_line(words)}).out, expected);
  EXPECT_EQ(shell_line({"/usr/bin/forebay", "mount", "/a b"}), "/usr/bin/forebay mount '/a b'");
}

TEST(RunMany, RunsSideBySideAndKeepsTheOrder) {
  std::vector<Invocation> invocations;
  for (int i = 0; i < 100; ++i) {
    invocations.push_back({{"sh", "-c", "cat; echo e$0 >&2; exit $0", std::to_string(i)}, "in" + std::to_string(i)});
  }
  const auto outcomes = run_many(invocations, {.deadline = 60s});
  ASSERT_EQ(outcomes.size(), 100u);
  for (int i = 0; i < 100; ++i) {
    const Outcome& outcome = outcomes[static_cast<size_t>(i)];
    EXPECT_EQ(outcome.exit_status, i);
    EXPECT_EQ(outcome.out, "in" + std::to_string(i));
    EXPECT_EQ(outcome.err, "e" + std::to_string(i) + "\n");
  }
  EXPECT_TRUE(run_many({}, {}).empty());
}

TEST(RunMany, EndsWhatTakesTooLong) {
  const auto begin = std::chrono::steady_clock::now();
  const auto outcomes = run_many({{{"sh", "-c", "echo begun; sleep 50"}, ""}, {{"true"}, ""}}, {.deadline = 1s});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_TRUE(outcomes[0].timed_out);
  EXPECT_FALSE(outcomes[0].ok());
  EXPECT_EQ(outcomes[0].out, "begun\n");
  EXPECT_TRUE(outcomes[1].ok());
}

TEST(RunMany, DoesNotWaitForDaemons) {
  const auto begin = std::chrono::steady_clock::now();
  const auto outcomes = run_many({{{"sh", "-c", "setsid sleep 8 & echo $!"}, ""}}, {.deadline = 60s});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_TRUE(outcomes[0].ok());
}

TEST(RunMany, SaysWhatCannotBeStarted) {
  const auto outcomes = run_many({{{"no-such-program-here"}, ""}}, {});
  EXPECT_EQ(outcomes[0].exit_status, 127);
  EXPECT_EQ(outcomes[0].err, "no-such-program-here: No such file or directory");
}

TEST(Launchers, SshPassesWordsAndInput) {
  const FakePrograms programs;
  // As sshd does: all that follows the host is one line for a shell.
  programs.add("ssh",
               "[ \"$*\" = \"${*#-o BatchMode=yes -o ConnectTimeout=10 -o LogLevel=ERROR n1 -- }\" ] && exit 99\n"
               "shift 6; echo \"host $1\"; shift 2; exec sh -c \"$*\"\n");
  NodeCommand command{"n1", kTellWords, "input|"};
  command.words.insert(command.words.end(), kAwkward.begin(), kAwkward.end());
  const Outcome outcome = run_on("ssh", command);
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("host n1\ninput|[a b][it's][\"q\"][$HOME]"));
  EXPECT_EQ(run_on("ssh", {"n1", {"sh", "-c", "exit 7"}, ""}).exit_status, 7);
}

TEST(Launchers, SrunPassesWordsAndInput) {
  const FakePrograms programs;
  ::unsetenv("SLURM_JOB_ID");
  EXPECT_EQ(make_launcher("srun", {"n1"}, "/d").error().context,
            "--launcher srun: this is no job of Slurm; give the command within salloc or sbatch");
  ::setenv("SLURM_JOB_ID", "1", 1);
  programs.add("srun", "echo \"$1 $2 $3 $4 $5\"; shift 5; exec \"$@\"\n");
  NodeCommand command{"n1", kTellWords, "input|"};
  command.words.insert(command.words.end(), kAwkward.begin(), kAwkward.end());
  EXPECT_THAT(run_on("srun", command).out, HasSubstr("--overlap -N1 -n1 -w n1\ninput|[a b][it's]"));
}

TEST(Launchers, PdshPassesWordsAndBringsInputAsAFile) {
  const FakePrograms programs;
  const test::TempDir copies;
  ::unsetenv("PDSH_RCMD_TYPE");
  ::setenv("PDSH_SSH_ARGS_APPEND", "-v", 1);
  // As pdsh does: no stdin, "%%" is "%", and a line of its own about what failed.
  programs.add("pdsh",
               "echo \"$PDSH_SSH_ARGS_APPEND\"; echo \"$1 $2 $3 $4 $5 $6\"; shift 6\n"
               "sh -c \"$(printf '%s' \"$*\" | sed 's/%%/%/g')\" </dev/null\n"
               "s=$?; [ $s = 0 ] || echo 'pdsh@here: n1: ssh exited' >&2; exit $s\n");
  programs.add("pdcp", "stat -c %a \"$6\" >" + (copies / "mode") + "; echo \"$7\" >" + (copies / "path") +
                           "; cp -p \"$6\" \"$7\"\n");
  NodeCommand command{"n1", kTellWords, "input|"};
  command.words.insert(command.words.end(), {"100%h", "it's"});
  const Outcome outcome = run_on("pdsh", command);
  EXPECT_EQ(outcome.out,
            "-v -o BatchMode=yes -o ConnectTimeout=10 -o LogLevel=ERROR\n-R ssh -S -N -w n1\ninput|[100%h][it's]")
      << outcome.err;
  EXPECT_EQ(test::read_file(copies / "mode"), "600\n");
  std::string path = test::read_file(copies / "path");
  path.pop_back();
  EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the file is left on the node";
  programs.add("pdsh", "echo \"$PDSH_RCMD_TYPE $1\"\n");
  ::setenv("PDSH_RCMD_TYPE", "mrsh", 1);
  EXPECT_EQ(run_on("pdsh", {"n1", {"true"}, ""}).out, "mrsh -S\n");
  ::unsetenv("PDSH_RCMD_TYPE");
  programs.add("pdsh", "exit 1\n");
  EXPECT_EQ(run_on("pdsh", {"n1", {"false"}, ""}).exit_status, 1);
}

TEST(Launchers, AreKnownByName) {
  EXPECT_EQ(make_launcher("rsh", {"a"}, "/d").error().context, "--launcher rsh: is none of ssh, pdsh, srun, netns");
  const auto ssh = make_launcher("ssh", {"a"}, "/d").value();
  EXPECT_EQ(ssh->address_of("127.0.0.1").value(), "127.0.0.1");
  EXPECT_EQ(ssh->address_of("localhost").value(), "127.0.0.1");
  EXPECT_THAT(ssh->address_of("no-such-host.invalid").error().context,
              HasSubstr("no-such-host.invalid: no address is known for this name"));
}

}  // namespace
}  // namespace forebay::cli
