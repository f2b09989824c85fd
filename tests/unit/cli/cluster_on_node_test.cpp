#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cluster/daemon_process.h"
#include "cli/cluster/on_node.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using Words = std::vector<std::string>;

mode_t mode_of(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777 : 0;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Stands for a daemon: the right command line, its number in the pid file, ended by SIGTERM.
class FakeDaemon {
 public:
  explicit FakeDaemon(const std::string& directory, const std::string& role, const std::string& on_term = "exit 0") {
    const std::string script = directory + "/forebay-fake";
    test::write_file(script, "trap '" + on_term + "' TERM\necho $$ >\"$3.pid\"\nwhile :; do sleep 0.05; done\n");
    const std::string pid_file = directory + "/forebay.toml.pid";
    ::unlink(pid_file.c_str());
    test::run_process({"sh", "-c", "setsid sh \"$1\" \"$2\" --config \"$3\" >/dev/null 2>&1 </dev/null & :", "sh",
                       script, role, directory + "/forebay.toml"});
    for (int i = 0; i < 200 && pid_text_.empty(); ++i) {
      ::usleep(20'000);
      if (exists(pid_file)) pid_text_ = test::read_file(pid_file);
    }
    test::write_file(directory + "/" + role + ".pid", pid_text_);
  }
  ~FakeDaemon() { test::run_process({"kill", "-9", std::to_string(pid())}); }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  pid_t pid() const { return static_cast<pid_t>(std::stol(pid_text_)); }
  bool runs() const { return test::run_process({"kill", "-0", std::to_string(pid())}).ok(); }

 private:
  std::string pid_text_;
};

// $3 of the script is the word "FILE" of: forebay-fake ROLE --config FILE
TEST(DaemonProcess, IsKnownByItsCommandLine) {
  const std::string config = "/d/forebay.toml";
  EXPECT_TRUE(is_daemon({"/usr/bin/forebay", "metad", "--config", config}, "metad", config));
  EXPECT_TRUE(is_daemon({"forebay-faulty", "metad", "--config", config, "--set", "a=b"}, "metad", config));
  EXPECT_TRUE(is_daemon({"/bin/sh", "/x/forebay-fake", "metad", "--config", config}, "metad", config));
  EXPECT_TRUE(is_daemon({"forebay", "metad", "--config=" + config}, "metad", config));
  EXPECT_FALSE(is_daemon({"forebay", "mgmtd", "--config", config}, "metad", config));
  EXPECT_FALSE(is_daemon({"forebay", "metad", "--config", "/e/forebay.toml"}, "metad", config));
  EXPECT_FALSE(is_daemon({"vim", config, "metad"}, "metad", config));
  EXPECT_FALSE(is_daemon({"grep", "x", "forebay", "metad", config}, "metad", config));
  EXPECT_FALSE(is_daemon({"forebay"}, "metad", config));
  EXPECT_FALSE(is_daemon({}, "metad", config));
}

TEST(DaemonProcess, StalePidFilesCountAsNone) {
  const test::TempDir directory;
  for (const std::string& text : {std::string("999999999\n"), std::to_string(::getpid()), std::string(),
                                  std::string("x"), std::string("-1"), std::string("0"), std::string("1 2")}) {
    test::write_file(directory / "metad.pid", text);
    EXPECT_FALSE(find_daemon(directory.path(), "metad")) << text;
  }
}

// As that of a process in /proc that ends meanwhile.
TEST(DaemonProcess, APidFileThatCannotBeReadCountsAsNone) {
  const test::TempDir directory;
  ASSERT_EQ(::mkdir((directory / "metad.pid").c_str(), 0755), 0);
  EXPECT_FALSE(find_daemon(directory.path(), "metad"));
}

TEST(DaemonProcess, IsFoundAndEnded) {
  const test::TempDir directory;
  const FakeDaemon fake(directory.path(), "metad");
  const auto daemon = find_daemon(directory.path(), "metad");
  ASSERT_TRUE(daemon);
  EXPECT_EQ(daemon->pid, fake.pid());
  EXPECT_EQ(find_all_daemons(directory.path(), "metad").size(), 1u);
  EXPECT_TRUE(end_daemon(*daemon, "metad", 20s, false));
  EXPECT_FALSE(find_daemon(directory.path(), "metad"));
}

TEST(DaemonProcess, ThatDoesNotEndIsToldOrKilled) {
  const test::TempDir directory;
  const FakeDaemon fake(directory.path(), "metad", ":");
  const auto daemon = find_daemon(directory.path(), "metad");
  ASSERT_TRUE(daemon);
  EXPECT_EQ(end_daemon(*daemon, "metad", 1s, false).error().context,
            "metad (process " + std::to_string(fake.pid()) + ") has not ended after 1 s");
  EXPECT_TRUE(end_daemon(*daemon, "metad", 1s, true));
}

json prepare_request(const test::TempDir& directory) {
  return {{"do", "prepare"},
          {"directory", directory / "data"},
          {"sockets", directory / "data"},
          {"mountpoint", directory / "a/mount"},
          {"config", "[cluster]\n"},
          {"made", {directory / "data/target"}}};
}

TEST(OnNode, PreparesAndLooks) {
  const test::TempDir directory;
  const auto prepared = serve_on_node(prepare_request(directory), "5ec2e7");
  ASSERT_TRUE(prepared) << prepared.error().context;
  EXPECT_EQ(prepared->at("made_mountpoint"), true);
  EXPECT_EQ(mode_of(directory / "data"), 0700u);
  EXPECT_EQ(mode_of(directory / "data/secret"), 0600u);
  EXPECT_EQ(mode_of(directory / "data/target"), 0700u);
  EXPECT_EQ(test::read_file(directory / "data/forebay.toml"), "[cluster]\n");
  const auto again = serve_on_node(prepare_request(directory), "5ec2e7");
  ASSERT_TRUE(again) << again.error().context;
  EXPECT_EQ(again->at("made_mountpoint"), false);

  test::write_file(directory / "token", "abc");
  json look = {{"do", "look"},
               {"directory", directory / "data"},
               {"mountpoint", directory / "a/mount"},
               {"external", "/e"},
               {"tokens", {directory / "token"}}};
  const FakeDaemon fake(directory / "data", "storaged");
  auto seen = serve_on_node(look, "");
  ASSERT_TRUE(seen) << seen.error().context;
  EXPECT_EQ(seen->at("daemons"), json({"storaged"}));
  EXPECT_EQ(seen->at("mount"), "none");
  EXPECT_EQ(seen->at("secret"), "5ec2e7");
  EXPECT_EQ(seen->at("config"), "[cluster]\n");
  EXPECT_EQ(seen->at("tokens").at(0).at("content"), "abc");
  EXPECT_GT(seen->at("clock"), 1'700'000'000);
  look["tokens"] = {directory / "none"};
  EXPECT_THAT(serve_on_node(look, "")->at("tokens").at(0).at("error"), HasSubstr("No such file or directory"));
}

TEST(OnNode, EndsDaemonsAlsoWithoutAPidFile) {
  const test::TempDir directory;
  const FakeDaemon fake(directory.path(), "mgmtd");
  ::unlink((directory / "mgmtd.pid").c_str());
  json end = {{"do", "end"}, {"directory", directory.path()}, {"role", "mgmtd"}};
  ASSERT_TRUE(serve_on_node(end, ""));
  EXPECT_TRUE(fake.runs()) << "no number, no daemon";
  end["kill"] = true;
  ASSERT_TRUE(serve_on_node(end, ""));
  EXPECT_TRUE(find_all_daemons(directory.path(), "mgmtd").empty());
}

TEST(OnNode, RemovesOnlyWhatItMade) {
  const test::TempDir directory;
  const std::string data = directory.make("data");
  test::write_file(data + "/thesis", "x");
  json purge = {{"do", "purge"}, {"directory", data}, {"sockets", data}};
  EXPECT_EQ(serve_on_node(purge, "").error().context, data + ": there is no forebay.toml in it, so it is not removed");
  EXPECT_TRUE(exists(data + "/thesis"));
  test::write_file(data + "/forebay.toml", "");
  ASSERT_TRUE(serve_on_node(purge, ""));
  EXPECT_FALSE(exists(data));
  EXPECT_TRUE(serve_on_node(purge, "")) << "gone is gone";
}

TEST(OnNode, AnswersWhatItDoesNotKnow) {
  EXPECT_THAT(serve_on_node({{"do", "dance"}}, "").error().context, HasSubstr("\"dance\" is unknown here"));
  EXPECT_THAT(serve_on_node({{"do", "look"}}, "").error().context, HasSubstr("cannot be read"));
  EXPECT_THAT(serve_on_node({{"do", 1}}, "").error().context, HasSubstr("cannot be read"));
  EXPECT_THAT(serve_on_node(json(), "").error().context, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace forebay::cli
