// Links of a cluster: all nodes have them, and files of transient directories live on its targets alone.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

class ClusterLinks : public MountTest {};

TEST_F(ClusterLinks, AllNodesHaveThem) {
  const TempDir home;
  write_file(home / "a", "home");
  TestCluster cluster(2, {"links.external=home=" + home.path(), "links.transient=scratch"});
  const std::string content = noise(3 * kMiB);
  write_file(cluster.inside(2, "home/b"), content);
  for (int node = 1; node <= 2; ++node) {
    EXPECT_EQ(read_file(cluster.inside(node, "home/a")), "home") << node;
    EXPECT_EQ(content_difference(content, read_file(cluster.inside(node, "home/b"))), "") << node;
    EXPECT_EQ(cluster.status(node).at("links").size(), 2u) << node;
  }
  cluster.stop();
  EXPECT_EQ(content_difference(content, read_file(home / "b")), "");
}

TEST_F(ClusterLinks, TransientFilesAreSharedAndSurviveTheirServers) {
  TestCluster cluster(3, {"links.transient=scratch"});
  ASSERT_EQ(::mkdir(cluster.inside(1, "scratch/striped").c_str(), 0755), 0);
  cluster.run({"layout", "set", cluster.inside(1, "scratch/striped"), "--count", "3", "--chunk-size", "64KiB"});
  const std::string content = noise(kMiB + 77), striped = noise(2 * kMiB, 2);
  write_file(cluster.inside(2, "scratch/a"), content);
  write_file(cluster.inside(3, "scratch/striped/b"), striped);
  const auto check = [&](int node) {
    EXPECT_EQ(content_difference(content, read_file(cluster.inside(node, "scratch/a"))), "") << node;
    EXPECT_EQ(content_difference(striped, read_file(cluster.inside(node, "scratch/striped/b"))), "") << node;
  };
  check(1);
  cluster.run({"flush", cluster.mountpoint(2), "-r"});
  EXPECT_EQ(cluster.stat(1, "scratch/striped/b").at("transient"), true);
  EXPECT_EQ(cluster.status(1).at("dirty_bytes"), 0);
  EXPECT_EQ(names_in(cluster.outside("scratch")), (std::set<std::string>{}));
  cluster.kill_daemon(1, "metad");
  cluster.kill_daemon(2, "storaged");
  cluster.start_again();
  check(3);
  overwrite(cluster.inside(3, "scratch/a"), 5, "changed");
  EXPECT_EQ(read_file(cluster.inside(1, "scratch/a")).substr(5, 7), "changed");
}

}  // namespace
}  // namespace forebay::test
