// forebay cluster start and stop, with the launcher netns: as root, on this machine. The daemons are stand-ins that
// only keep their pid files, and the mounts are ordinary ones: what is looked at here is the launcher.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/binaries.h"
#include "tests/support/files.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace forebay::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

// forebay ROLE --config FILE; everything else is the real program's.
constexpr char kStandIn[] = R"sh(#!/bin/sh
real=@BINARY@
role=$1 config=$3
case $role in
mgmtd | metad | storaged)
    case "$role $config" in @FAIL@) echo "forebay: $role: the port is in use" >&2; exit 1 ;; esac
    if [ "${4-}" != serve ]; then
        echo "$role $config" >>@LOG@
        setsid "$0" "$role" --config "$config" serve >/dev/null 2>&1 </dev/null &
        while [ ! -s "${config%/*}/$role.pid" ]; do sleep 0.02; done
        exit 0
    fi
    trap 'echo "end $role $config" >>@LOG@; rm -f "${config%/*}/$role.pid"; exit 0' TERM
    echo $$ >"${config%/*}/$role.pid"
    while :; do sleep 0.05; done
    ;;
mount)
    case "$role $5" in @FAIL@) echo "forebay: mount: no" >&2; exit 1 ;; esac
    echo "mount $3" >>@LOG@
    mkdir -p "${5%/*}/cache"
    exec "$real" mount "$2" "$3" --cache "${5%/*}/cache"
    ;;
unmount) echo "unmount $*" >>@LOG@ ;;
esac
exec "$real" "$@"
)sh";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

class ClusterLauncher : public testing::Test {
 protected:
  ClusterLauncher() {
    external_ = directory_.make("external");
    write_file(directory_ / "nodes", "one\ntwo\nthree\n");
    write_file(external_ + "/file", "content");
    write_stand_in("none");
  }
  ~ClusterLauncher() override {
    write_stand_in("none");
    run("stop", {"--discard"});
    EXPECT_EQ(namespaces(), namespaces_before_);
  }

  // `fail`: which command does not come up, as a pattern of sh for "ROLE CONFIG_FILE".
  void write_stand_in(const std::string& fail) {
    std::string script = replaced(kStandIn, "@BINARY@", FOREBAY_BINARY);
    script = replaced(replaced(script, "@FAIL@", fail), "@LOG@", log_);
    write_file(program_, script);
    ::chmod(program_.c_str(), 0755);
    write_file(log_, "");
  }

  ProcessResult run(const std::string& what, const Words& more = {}) {
    Words words = {FOREBAY_BINARY,
                   "cluster",
                   what,
                   "-n",
                   directory_ / "nodes",
                   "-d",
                   directory_ / "data",
                   "-c",
                   directory_ / "mounts",
                   "-l",
                   external_,
                   "--launcher",
                   "netns",
                   "--program",
                   program_};
    words.insert(words.end(), more.begin(), more.end());
    return run_process(words);
  }

  static std::string namespaces() { return run_process({"sh", "-c", "ip netns list | grep ^fb-"}).out; }
  std::string mount_of(const std::string& node) const { return directory_ / ("mounts/" + node); }
  std::string log() const { return read_file(log_); }
  bool any_daemon() const { return run_process({"pgrep", "-f", program_ + " [a-z]+ --config"}).ok(); }
  size_t mounts() const {
    size_t count = 0;
    for (const char* node : {"one", "two", "three"}) count += is_mounted(mount_of(node)) ? 1 : 0;
    return count;
  }

  const std::string namespaces_before_ = namespaces();
  const TempDir directory_;
  std::string external_;
  const std::string program_ = directory_ / "forebay-fake";
  const std::string log_ = directory_ / "log";
};

TEST_F(ClusterLauncher, StartsInOrderAndStopsInOrder) {
  const ProcessResult started = run("start", {"--metad", "2"});
  ASSERT_TRUE(started.ok()) << describe(started);
  EXPECT_EQ(started.err, "");
  EXPECT_EQ(mounts(), 3u);
  EXPECT_EQ(read_file(mount_of("two") + "/file"), "content");
  EXPECT_EQ(names_in(external_), std::set<std::string>{"file"}) << "the token is left";
  const std::string data = directory_ / "data";
  EXPECT_EQ(read_file(data + "/one/secret").size(), 64u);
  EXPECT_EQ(read_file(data + "/one/secret"), read_file(data + "/three/secret"));
  EXPECT_EQ(stat_of(data + "/two/secret").st_mode & 0777, 0600u);
  std::string said = log();
  EXPECT_EQ(said.find("mgmtd " + data + "/one/"), 0u);
  EXPECT_THAT(said, HasSubstr("metad " + data + "/two/"));
  EXPECT_THAT(said, Not(HasSubstr("metad " + data + "/three/")));
  EXPECT_LT(said.rfind("storaged "), said.find("metad "));
  EXPECT_LT(said.rfind("metad "), said.find("mount "));

  write_file(mount_of("three") + "/new", "x");
  write_file(log_, "");
  const ProcessResult stopped = run("stop");
  ASSERT_TRUE(stopped.ok()) << describe(stopped);
  EXPECT_EQ(read_file(external_ + "/new"), "x");
  said = log();
  EXPECT_LT(said.rfind("unmount "), said.find("end metad"));
  EXPECT_LT(said.rfind("end metad"), said.find("end storaged"));
  EXPECT_LT(said.rfind("end storaged"), said.find("end mgmtd"));
  EXPECT_EQ(mounts(), 0u);
  EXPECT_FALSE(any_daemon());
  EXPECT_EQ(namespaces(), namespaces_before_);

  const ProcessResult again = run("stop");
  EXPECT_TRUE(again.ok());
  EXPECT_EQ(again.err, "forebay: the cluster does not run; nothing was left to stop\n");
}

TEST_F(ClusterLauncher, KeepsTheSecret) {
  ASSERT_TRUE(run("start").ok());
  const std::string secret = read_file(directory_ / "data/two/secret");
  ASSERT_TRUE(run("stop").ok());
  run_process({"rm", directory_ / "data/one/secret"});
  ASSERT_TRUE(run("start").ok());
  EXPECT_EQ(read_file(directory_ / "data/one/secret"), secret);
}

TEST_F(ClusterLauncher, SaysThatItRunsAlready) {
  ASSERT_TRUE(run("start").ok());
  write_file(log_, "");
  const ProcessResult again = run("start");
  EXPECT_EQ(again.exit_status, 1);
  EXPECT_EQ(again.err, "forebay: the cluster runs already, on one, two, three; nothing was changed\n");
  EXPECT_EQ(log(), "");
  const ProcessResult other = run("start", {"--metad", "3"});
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_THAT(other.err, HasSubstr("forebay: one: a cluster runs with another configuration ("));
  EXPECT_EQ(mounts(), 3u);
}

TEST_F(ClusterLauncher, StartsTheRestAfterACrash) {
  ASSERT_TRUE(run("start").ok());
  run_process({"sh", "-c", "kill -9 $(cat \"$1\"/two/storaged.pid \"$1\"/one/mgmtd.pid)", "sh", directory_ / "data"});
  run_process({"pkill", "-9", "-f", "mount " + external_ + " " + mount_of("one")});
  run_process({"sh", "-c", "while ls \"$1\"; do sleep 0.05; done", "sh", mount_of("one")});
  write_file(log_, "");
  const ProcessResult again = run("start");
  ASSERT_TRUE(again.ok()) << describe(again);
  EXPECT_THAT(again.err, HasSubstr("the cluster runs in part"));
  EXPECT_EQ(read_file(mount_of("one") + "/file"), "content");
  EXPECT_THAT(log(), HasSubstr("mgmtd "));
  EXPECT_THAT(log(), HasSubstr("storaged " + (directory_ / "data/two/")));
  EXPECT_THAT(log(), Not(HasSubstr("storaged " + (directory_ / "data/one/"))));
  EXPECT_TRUE(run("stop").ok());
}

TEST_F(ClusterLauncher, LeavesNothingOfAStartThatFailed) {
  for (const char* fail : {"mgmtd*", "metad*", "storaged*/three/*", "mount*/two/*"}) {
    write_stand_in(fail);
    const ProcessResult started = run("start");
    EXPECT_EQ(started.exit_status, 1) << fail;
    const std::string node = std::string(fail).find("three") != std::string::npos ? "three"
                             : std::string(fail).find("two") != std::string::npos ? "two"
                                                                                  : "one";
    EXPECT_THAT(started.err, HasSubstr("forebay: " + node + ": ")) << fail;
    EXPECT_EQ(std::count(started.err.begin(), started.err.end(), '\n'), 1) << started.err;
    EXPECT_EQ(mounts(), 0u) << fail;
    EXPECT_FALSE(any_daemon()) << fail;
    EXPECT_EQ(namespaces(), namespaces_before_) << fail;
    EXPECT_FALSE(exists(mount_of("one"))) << fail;
  }
}

TEST_F(ClusterLauncher, GoesOnWhileAClientIsInUse) {
  ASSERT_TRUE(run("start").ok());
  {
    const OpenFile used(mount_of("two") + "/file");
    const ProcessResult stopped = run("stop");
    EXPECT_EQ(stopped.exit_status, 1);
    EXPECT_THAT(stopped.err, HasSubstr("forebay: two: " + mount_of("two") + " stays mounted: in use by"));
    EXPECT_THAT(stopped.err, HasSubstr("1 of 3 clients could not be flushed and unmounted; all daemons go on"));
    EXPECT_TRUE(any_daemon());
    EXPECT_EQ(mounts(), 1u);
  }
  EXPECT_TRUE(run("stop").ok());
  EXPECT_FALSE(any_daemon());
}

TEST_F(ClusterLauncher, PurgesWhatItSawFlushed) {
  ASSERT_TRUE(run("start").ok());
  ASSERT_TRUE(run("stop").ok());
  const ProcessResult unsure = run("stop", {"--purge"});
  EXPECT_EQ(unsure.exit_status, 1);
  EXPECT_THAT(unsure.err, HasSubstr("--purge: one: was not mounted"));
  EXPECT_TRUE(exists(directory_ / "data/one"));
  ASSERT_TRUE(run("start").ok());
  const ProcessResult purged = run("stop", {"--purge"});
  ASSERT_TRUE(purged.ok()) << describe(purged);
  EXPECT_EQ(names_in(directory_ / "data"), std::set<std::string>{});
}

TEST_F(ClusterLauncher, RefusesBadInputAndChangesNothing) {
  struct Row {
    Words words;
    std::string error;
  };
  const std::vector<Row> rows = {
      {{"--metad", "4"}, "forebay: --metad 4: the node file has 3 hosts\n"},
      {{"--set", "x"}, "forebay: --set x: expected KEY=VALUE\n"},
  };
  for (const Row& row : rows) {
    const ProcessResult started = run("start", row.words);
    EXPECT_EQ(started.exit_status, 1);
    EXPECT_EQ(started.err, row.error);
  }
  run_process({"rm", "-r", external_});
  const ProcessResult started = run("start");
  EXPECT_EQ(started.exit_status, 1);
  EXPECT_EQ(started.err, "forebay: external directory " + external_ + ": No such file or directory\n");
  EXPECT_FALSE(exists(directory_ / "data"));
  EXPECT_EQ(namespaces(), namespaces_before_);
}

}  // namespace
}  // namespace forebay::test
