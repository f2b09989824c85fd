#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cluster/plan.h"

namespace forebay::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

class FixedAddresses : public Launcher {
 public:
  explicit FixedAddresses(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string_view name() const override { return "fixed"; }
  Result<std::string> address_of(const std::string& host) const override { return prefix_ + host.substr(1); }

 protected:
  Invocation wrap(const NodeCommand& command) const override { return {command.words, command.input}; }

 private:
  std::string prefix_;
};

ClusterOptions cluster_options() {
  ClusterOptions options;
  options.data = "/nvme/forebay";
  options.mount = "/fast";
  options.external = "/gpfs/project";
  options.program = "/usr/bin/forebay";
  return options;
}

Plan plan_of(const ClusterOptions& options, const Words& hosts, bool one_machine = false) {
  Plan plan = make_plan(options, hosts, one_machine).value();
  EXPECT_TRUE(add_addresses(plan, FixedAddresses("10.0.0.")));
  return plan;
}

TEST(ClusterPlan, SaysWhichDaemonRunsWhere) {
  ClusterOptions options = cluster_options();
  options.metads = 2;
  const Plan plan = plan_of(options, {"n1", "n2", "n3"});
  ASSERT_EQ(plan.nodes.size(), 3u);
  EXPECT_EQ(plan.nodes[0].roles, (std::vector<Role>{Role::kMgmtd, Role::kMetad, Role::kStoraged}));
  EXPECT_EQ(plan.nodes[1].roles, (std::vector<Role>{Role::kMetad, Role::kStoraged}));
  EXPECT_EQ(plan.nodes[2].roles, (std::vector<Role>{Role::kStoraged}));
  EXPECT_EQ(plan.nodes[2].directory, "/nvme/forebay");
  EXPECT_EQ(plan.nodes[2].mountpoint, "/fast");
  const Plan here = plan_of(options, {"n1", "n2"}, true);
  EXPECT_EQ(here.nodes[1].directory, "/nvme/forebay/n2");
  EXPECT_EQ(here.nodes[1].mountpoint, "/fast/n2");
}

TEST(ClusterPlan, RefusesMoreMetadataServersThanHosts) {
  ClusterOptions options = cluster_options();
  options.metads = 3;
  EXPECT_EQ(make_plan(options, {"n1", "n2"}, false).error().context, "--metad 3: the node file has 2 hosts");
  options.metads = 0;
  EXPECT_EQ(make_plan(options, {"n1"}, false).error().context, "--metad 0: the node file has 1 host");
}

TEST(ClusterPlan, RefusesAddressesThatOthersDoNotReach) {
  Plan plan = make_plan(cluster_options(), {"n1", "n2"}, false).value();
  EXPECT_THAT(add_addresses(plan, FixedAddresses("127.0.1.")).error().context,
              HasSubstr("n1: its name means 127.0.1.1 here, which no other node reaches"));
  Plan alone = make_plan(cluster_options(), {"n1"}, false).value();
  EXPECT_TRUE(add_addresses(alone, FixedAddresses("127.0.1.")));
}

TEST(ClusterPlan, WritesTheConfigurationOfANode) {
  const Plan plan = plan_of(cluster_options(), {"n1", "n2"}, true);
  EXPECT_EQ(config_text(plan, plan.nodes[0]),
            R"(# Written by forebay cluster start; --set changes it for one start.
[cluster]
name = "n1"
mgmtd = "10.0.0.1:7700"
secret_file = "/nvme/forebay/n1/secret"
external = "/gpfs/project"

[mgmtd]
listen = "10.0.0.1:7700"
data = "/nvme/forebay/n1/mgmtd"

[metad]
listen = "10.0.0.1:7701,unix:/nvme/forebay/n1/metad.sock"
data = "/nvme/forebay/n1/metad"

[storaged]
listen = "10.0.0.1:7702,unix:/nvme/forebay/n1/storaged.sock"
targets = "/nvme/forebay/n1/target"
)");
  const std::string second = config_text(plan, plan.nodes[1]);
  EXPECT_THAT(second, HasSubstr("mgmtd = \"10.0.0.1:7700\""));
  EXPECT_THAT(second, HasSubstr("10.0.0.2:7702,"));
  EXPECT_THAT(second, Not(HasSubstr("[mgmtd]")));
  EXPECT_THAT(second, Not(HasSubstr("[metad]")));
}

TEST(ClusterPlan, QuotesPathsForToml) {
  ClusterOptions options = cluster_options();
  options.external = R"(/a "b" \c)";
  const Plan plan = plan_of(options, {"n1"});
  EXPECT_THAT(config_text(plan, plan.nodes[0]), HasSubstr(R"(external = "/a \"b\" \\c")"));
}

TEST(ClusterPlan, KeepsSocketsShort) {
  ClusterOptions options = cluster_options();
  options.data = "/" + std::string(92, 'd');
  EXPECT_EQ(plan_of(options, {"n1"}).nodes[0].sockets, options.data);
  options.data += "d";
  const Plan long_path = plan_of(options, {"n1", "n2"}, true);
  EXPECT_THAT(long_path.nodes[0].sockets, testing::MatchesRegex("/run/forebay/[0-9a-f]+"));
  EXPECT_NE(long_path.nodes[0].sockets, long_path.nodes[1].sockets);
  EXPECT_THAT(config_text(long_path, long_path.nodes[0]),
              HasSubstr("unix:" + long_path.nodes[0].sockets + "/storaged.sock"));
}

TEST(ClusterPlan, PassesSettingsOn) {
  ClusterOptions options = cluster_options();
  options.settings = {"flush.delay=1s", "log.level=debug"};
  const Plan plan = plan_of(options, {"n1"});
  EXPECT_EQ(daemon_words(plan, plan.nodes[0], Role::kMetad),
            (Words{"/usr/bin/forebay", "metad", "--config", "/nvme/forebay/forebay.toml", "--set", "flush.delay=1s",
                   "--set", "log.level=debug"}));
  EXPECT_EQ(mount_words(plan, plan.nodes[0]),
            (Words{"/usr/bin/forebay", "mount", "/gpfs/project", "/fast", "--config", "/nvme/forebay/forebay.toml",
                   "--set", "flush.delay=1s", "--set", "log.level=debug"}));
}

TEST(ClusterPaths, AreMadeAbsolute) {
  ClusterOptions options = cluster_options();
  options.data = "/nvme/./x/../forebay/";
  options.mount = "some/where";
  ASSERT_TRUE(resolve_cluster_paths(options));
  EXPECT_EQ(options.data, "/nvme/forebay");
  EXPECT_THAT(options.mount, testing::EndsWith("/some/where"));
  EXPECT_EQ(options.mount.front(), '/');
}

TEST(ClusterPaths, AreJudged) {
  struct Row {
    std::string data, mount, external, error;
  };
  const std::vector<Row> rows = {
      {"", "/m", "/e", "-d: an empty path"},
      {"/", "/m", "/e", "-d /: give a directory below /"},
      {"/d", "/d/m", "/e", "-c /d/m is inside -d /d; choose another directory"},
      {"/d", "/e/m", "/e", "-c /e/m is inside -l /e; choose another directory"},
      {"/d", "/m", "/m", "-c /m is inside -l /m; choose another directory"},
      {"/a,b", "/m", "/e", "-d /a,b: a path with commas or control characters cannot be used"},
      {"/d", "/m\nx", "/e", "-c /m\nx: a path with commas or control characters cannot be used"},
  };
  for (const Row& row : rows) {
    ClusterOptions options;
    options.data = row.data;
    options.mount = row.mount;
    options.external = row.external;
    const Status status = resolve_cluster_paths(options);
    ASSERT_FALSE(status) << row.error;
    EXPECT_EQ(status.error().context, row.error);
  }
}

}  // namespace
}  // namespace forebay::cli
