// The differential walk over a cluster: seeded random file system calls on its mounts and on plain directories, which
// must always agree, wherever the data lie.
#include "tests/support/walk.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

constexpr uint64_t kFortieth = 40;

class ClusterWalk : public MountTest {
 protected:
  // In a directory of its own, so that several walk at a time.
  static testing::AssertionResult walk(const TestCluster& cluster, int node, const std::string& models) {
    const std::string name = "w" + std::to_string(node);
    std::filesystem::create_directory(cluster.inside(node, name));
    std::filesystem::create_directory(models + "/" + name);
    return walk_agrees(cluster.inside(node, name), models + "/" + name, walk_steps(kFortieth));
  }
};

// With one metadata server, and with several that share the tree.
class ClusterWalkOf : public ClusterWalk, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Metads, ClusterWalkOf, testing::Values(1, 3), testing::PrintToStringParamName());

TEST_P(ClusterWalkOf, EachMountInTurnAgreesAndTheOthersSeeTheSame) {
  TestCluster cluster(4, {}, {}, GetParam());
  const std::string models = cluster.make("models");
  for (int node = 1; node <= cluster.nodes(); ++node) {
    ASSERT_TRUE(walk(cluster, node, models)) << "node " << node;
    for (int other = 1; other <= cluster.nodes(); ++other) {
      EXPECT_TRUE(trees_are_equal(models, cluster.mountpoint(other))) << "node " << node << ", seen by " << other;
    }
  }
  cluster.stop();
  EXPECT_TRUE(trees_are_equal(models, cluster.outside("")));
}

TEST_P(ClusterWalkOf, AllMountsAtOnceAgree) {
  TestCluster cluster(4, {"flush.delay=50ms"}, {}, GetParam());
  const std::string models = cluster.make("models");
  std::vector<testing::AssertionResult> agreed(4, testing::AssertionSuccess());
  std::vector<std::thread> walks;
  for (int node = 1; node <= cluster.nodes(); ++node) {
    walks.emplace_back([&, node] { agreed[node - 1] = walk(cluster, node, models); });
  }
  for (std::thread& one : walks) one.join();
  for (const testing::AssertionResult& one : agreed) EXPECT_TRUE(one);
  EXPECT_TRUE(trees_are_equal(models, cluster.mountpoint(1)));
  cluster.stop();
  EXPECT_TRUE(trees_are_equal(models, cluster.outside("")));
}

TEST_F(ClusterWalk, AgreesWhereAllDataAreOnAnotherNode) {
  TestCluster cluster(2);
  const std::string models = cluster.make("models");
  cluster.end_storaged(1);
  ASSERT_TRUE(walk(cluster, 1, models));
  EXPECT_TRUE(trees_are_equal(models, cluster.mountpoint(2)));
}

}  // namespace
}  // namespace forebay::test
