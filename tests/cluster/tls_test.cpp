// A cluster whose members speak TLS with each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/binaries.h"
#include "tests/support/test_ca.h"
#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ClusterTls : public MountTest {
 protected:
  static Settings settings_of(const TestCa::Member& member) {
    return {"cluster.tls_certificate=" + member.certificate, "cluster.tls_key=" + member.key,
            "cluster.tls_ca=" + member.ca};
  }
  // Runs `words` where a node's daemons are.
  static ProcessResult run_on(TestCluster& cluster, int node, std::vector<std::string> words) {
    const std::string process = std::to_string(std::stoi(read_file(cluster.data(node) + "/storaged.pid")));
    words.insert(words.begin(), {"nsenter", "--net=/proc/" + process + "/ns/net"});
    return run_process(words);
  }
  // forebay mount once more on a node, with that node's configuration and these settings.
  static ProcessResult mount_beside(TestCluster& cluster, int node, const std::string& mountpoint,
                                    const Settings& settings) {
    std::vector<std::string> words = {FOREBAY_BINARY, "mount",    cluster.outside(""),
                                      mountpoint,     "--config", cluster.data(node) + "/forebay.toml"};
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    return run_on(cluster, node, words);
  }

  TempDir files_;
};

TEST_F(ClusterTls, NodesReadOverItWhatOthersWrite) {
  TestCluster cluster(2, settings_of(TestCa("the cluster").issue(files_.path(), "member")));
  const std::string content = noise(5 * kMiB + 7);
  write_file(cluster.inside(1, "a"), content);
  EXPECT_EQ(content_difference(content, read_file(cluster.inside(2, "a"))), "");
  write_file(cluster.inside(2, "a"), content + "more");
  EXPECT_EQ(content_difference(content + "more", read_file(cluster.inside(1, "a"))), "");
  cluster.stop();
  EXPECT_EQ(content_difference(content + "more", read_file(cluster.outside("a"))), "");
}

TEST_F(ClusterTls, EveryDaemonRefusesWhoSpeaksNone) {
  TestCluster cluster(2, settings_of(TestCa("the cluster").issue(files_.path(), "member")));
  const std::string config = read_file(cluster.data(1) + "/forebay.toml");
  const std::string before = "mgmtd = \"";
  const size_t begin = config.find(before) + before.size();
  const std::string host = config.substr(begin, config.find(':', begin) - begin);
  for (const char* port : {"7700", "7701", "7702"}) {
    const ProcessResult answer =
        run_on(cluster, 2,
               {"timeout", "20", "bash", "-c", "exec 3<>/dev/tcp/$0/$1; printf FBAY >&3; tr -d '\\0' <&3", host, port});
    EXPECT_THAT(answer.out, HasSubstr("speaks no TLS")) << port << ": " << describe(answer);
  }
}

TEST_F(ClusterTls, WhoShowsNoCertificateOfTheCaIsToldSo) {
  const TestCa ca("the cluster");
  TestCluster cluster(2, settings_of(ca.issue(files_.path(), "member")));
  const std::string mountpoint = files_.make("mountpoint");
  const ProcessResult without = mount_beside(cluster, 2, mountpoint, {});
  EXPECT_EQ(without.exit_status, 1);
  EXPECT_THAT(without.err, AllOf(HasSubstr("mgmtd"), HasSubstr(":7700 refuses this side: it speaks no TLS"),
                                 HasSubstr("cluster.tls_certificate")));
  const Settings of_another_ca = settings_of(TestCa("another").issue(files_.path(), "stranger", ca.text()));
  const ProcessResult stranger = mount_beside(cluster, 2, mountpoint, of_another_ca);
  EXPECT_EQ(stranger.exit_status, 1);
  EXPECT_THAT(stranger.err,
              AllOf(HasSubstr(":7700: refuses this side's TLS: unknown CA"), HasSubstr("cluster.tls_ca")));
  for (const ProcessResult* refused : {&without, &stranger}) {
    EXPECT_EQ(std::count(refused->err.begin(), refused->err.end(), '\n'), 1) << refused->err;
  }
  EXPECT_FALSE(is_mounted(mountpoint));
  const std::string log = read_file(cluster.data(1) + "/mgmtd.log");
  EXPECT_THAT(log, HasSubstr("does not speak TLS; set cluster.tls_certificate"));
  EXPECT_THAT(log, HasSubstr("shows a TLS certificate that is not accepted"));
}

}  // namespace
}  // namespace forebay::test
