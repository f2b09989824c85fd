#include "cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/config.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace forebay::cli {
namespace {

using testing::HasSubstr;

struct Ran {
  int exit_status = -1;
  std::string out;
  std::string err;
};

// A command line in this process: for commands that neither fork nor catch signals.
Ran run_words(std::vector<std::string> words) {
  words.insert(words.begin(), "forebay");
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.exit_status = run(static_cast<int>(words.size()), arguments.data());
  std::fflush(stdout);
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  return ran;
}

const std::vector<std::string> kCommands = {"mount", "unmount", "status", "stat",    "prefetch", "flush",
                                            "evict", "pin",     "unpin",  "cluster", "config",   "completion"};

TEST(Cli, HelpTeachesEveryCommand) {
  const Ran general = run_words({"--help"});
  EXPECT_EQ(general.exit_status, 0);
  EXPECT_EQ(general.err, "");
  for (const std::string& command : kCommands) {
    EXPECT_THAT(general.out, HasSubstr("\n  " + command + " "));
    const Ran special = run_words({command, "--help"});
    EXPECT_EQ(special.exit_status, 0);
    EXPECT_THAT(special.out, HasSubstr("Usage: forebay " + command));
    EXPECT_THAT(special.out, HasSubstr("Example"));
    for (size_t at = 0, end = 0; at < special.out.size(); at = end + 1) {
      end = std::min(special.out.find('\n', at), special.out.size());
      EXPECT_LE(end - at, 120u) << special.out.substr(at, end - at);
    }
  }
}

TEST(Cli, TellsItsVersion) {
  const Ran ran = run_words({"--version"});
  EXPECT_EQ(ran.exit_status, 0);
  EXPECT_EQ(ran.out, "forebay " FOREBAY_VERSION "\n");
}

TEST(Cli, NamesTheWordThatIsWrong) {
  const Ran unknown = run_words({"frobnicate"});
  EXPECT_EQ(unknown.exit_status, 2);
  EXPECT_EQ(unknown.err, "forebay: unknown command \"frobnicate\"; see forebay --help\n");
  EXPECT_EQ(run_words({"mont"}).err, "forebay: unknown command \"mont\"; did you mean \"mount\"? See forebay --help\n");
  EXPECT_EQ(run_words({"stat", "--jsno", "x"}).err,
            "forebay: stat: unknown option \"--jsno\"; did you mean \"--json\"? See forebay stat --help\n");
  EXPECT_EQ(run_words({"mount"}).err, "forebay: mount: EXTERNAL is required; see forebay mount --help\n");
  EXPECT_EQ(run_words({"mount", "a", "b", "--set"}).err,
            "forebay: mount: --set needs a value; see forebay mount --help\n");
}

TEST(Cli, OptionsTakeOneValueEach) {
  // --set and --cache before the directories must not swallow them.
  const Ran ran = run_words({"mount", "--set", "evict.hihg=1", "--cache", "/x", "/no/external", "/no/mount"});
  EXPECT_EQ(ran.exit_status, 1);
  EXPECT_THAT(ran.err, HasSubstr("evict.hihg"));
}

TEST(Cli, PathsMayLookLikeCommandsAndLists) {
  EXPECT_EQ(run_words({"stat", "flush"}).err, "forebay: flush: No such file or directory\n");
  EXPECT_EQ(run_words({"stat", "[a,b]"}).err, "forebay: ./[a,b]: No such file or directory\n");
  EXPECT_EQ(run_words({"stat", "--", "--json"}).err, "forebay: --json: No such file or directory\n");
}

TEST(Cli, EveryPathThatFailsHasItsLine) {
  const Ran ran = run_words({"stat", "/etc/passwd", "/nowhere", "/etc"});
  EXPECT_EQ(ran.exit_status, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err,
            "forebay: /etc/passwd: not inside a forebay mount\n"
            "forebay: /nowhere: No such file or directory\n"
            "forebay: /etc: not inside a forebay mount\n");
}

TEST(ClusterCommand, ChecksItsArguments) {
  EXPECT_EQ(run_words({"cluster"}).err, "forebay: cluster: no command given; see forebay cluster --help\n");
  EXPECT_EQ(run_words({"cluster", "strat"}).err,
            "forebay: cluster: unknown command \"strat\"; did you mean \"start\"? See forebay cluster --help\n");
  const Ran incomplete = run_words({"cluster", "start", "-n", "/n", "-d", "/d", "-c", "/c"});
  EXPECT_EQ(incomplete.exit_status, 2);
  EXPECT_EQ(incomplete.err, "forebay: cluster start: --external is required; see forebay cluster start --help\n");
  EXPECT_EQ(run_words({"cluster", "stop", "-n", "/n", "-d", "/d", "-c", "/c", "--metad", "2"}).exit_status, 2);
  const std::vector<std::string> start = {"cluster", "start", "-n", "/none", "-d", "/d", "-c", "/c", "-l"};
  auto words = start;
  words.push_back("/c/x");
  EXPECT_EQ(run_words(words).err, "forebay: -l /c/x is inside -c /c; choose another directory\n");
  words.back() = "/e";
  EXPECT_EQ(run_words(words).err, "forebay: node file /none: No such file or directory\n");
  EXPECT_EQ(run_words({"cluster", "on-node", "{\"do\":1}"}).exit_status, 1);
  EXPECT_EQ(run_words({"cluster", "on-node", "nonsense"}).exit_status, 1);
}

TEST(ConfigCommand, ChecksFiles) {
  const test::TempDir directory;
  const std::string file = directory / "forebay.toml";
  test::write_file(file, "[cache]\ncapacity = \"1GiB\"\n");
  EXPECT_EQ(run_words({"config", "check", file}).out, file + ": ok\n");
  test::write_file(file, "[cache]\ncapacity = \"5MiB\"\nchunk_size = \"2MiB\"\n");
  const Ran ran = run_words({"config", "check", file});
  EXPECT_EQ(ran.exit_status, 1);
  EXPECT_THAT(ran.err, HasSubstr(file + ": cache.capacity: 5MiB is less than four chunks"));
}

TEST(ConfigCommand, PrintsKeysAsAFileThatCanBeLoaded) {
  const test::TempDir directory;
  const Ran ran = run_words({"config", "keys"});
  EXPECT_EQ(ran.exit_status, 0);
  test::write_file(directory / "keys.toml", ran.out);
  const Ran checked = run_words({"config", "check", directory / "keys.toml"});
  EXPECT_EQ(checked.exit_status, 0) << checked.err;
  for (const ConfigKeyInfo& row : config_keys()) {
    EXPECT_THAT(ran.out, HasSubstr("\n" + std::string(row.key.substr(row.key.find('.') + 1)) + " = "));
  }
}

TEST(ConfigCommand, PrintsKeysForPrograms) {
  const auto keys = nlohmann::json::parse(run_words({"config", "keys", "--json"}).out);
  ASSERT_EQ(keys.size(), config_keys().size());
  EXPECT_EQ(keys[0]["key"], "cache.capacity");
  EXPECT_EQ(keys[0]["default"], "\"90%\"");
  const std::string markdown = run_words({"config", "keys", "--markdown"}).out;
  EXPECT_EQ(std::count(markdown.begin(), markdown.end(), '\n'), static_cast<long>(config_keys().size()) + 2);
  EXPECT_EQ(run_words({"config", "keys", "--json", "--markdown"}).exit_status, 2);
}

TEST(Completion, BashKnowsCommandsOptionsAndKeys) {
  const test::TempDir directory;
  const Ran ran = run_words({"completion", "bash"});
  ASSERT_EQ(ran.exit_status, 0);
  test::write_file(directory / "script", ran.out);
  const auto complete = [&](const std::string& words) {
    const std::string program = "source '" + (directory / "script") + "'; compopt() { :; }; COMP_WORDS=(" + words +
                                "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _forebay; echo \"${COMPREPLY[*]}\"";
    const test::ProcessResult result = test::run_process({"bash", "-c", program}, {.directory = directory.path()});
    EXPECT_TRUE(result.ok()) << test::describe(result);
    EXPECT_EQ(result.err, "");
    return result.out;
  };
  EXPECT_EQ(complete("forebay fl"), "flush\n");
  EXPECT_EQ(complete("forebay mount --fo"), "--foreground\n");
  EXPECT_EQ(complete("forebay mount --set evict.hi"), "evict.high=\n");
  EXPECT_EQ(complete("forebay mount --set flush.policy = m"), "manual\n");
  EXPECT_EQ(complete("forebay config \"\""), "check keys\n");
  EXPECT_EQ(complete("forebay stat scr"), "script\n");
  EXPECT_EQ(complete("forebay cluster \"\""), "start stop\n");
  EXPECT_EQ(complete("forebay cluster start --met"), "--metad\n");
  EXPECT_EQ(complete("forebay cluster start --launcher s"), "ssh srun\n");
  EXPECT_EQ(complete("forebay cluster start -n scr"), "script\n");
  EXPECT_EQ(complete("forebay frob"), "\n");
}

TEST(Completion, KnowsThreeShells) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Ran ran = run_words({"completion", shell});
    EXPECT_EQ(ran.exit_status, 0);
    for (const std::string& command : kCommands) EXPECT_THAT(ran.out, HasSubstr(command)) << shell;
    EXPECT_THAT(ran.out, HasSubstr("consistency.attr_ttl")) << shell;
  }
  const Ran ran = run_words({"completion", "tcsh"});
  EXPECT_EQ(ran.exit_status, 1);
  EXPECT_THAT(ran.err, HasSubstr("\"tcsh\""));
}

}  // namespace
}  // namespace forebay::cli
