// Servers that are killed and started anew under their clients.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

class Restart : public MountTest {};

TEST_F(Restart, AStorageServerThatWasKilledServesOpenFilesAgain) {
  TestCluster cluster(2, {"flush.policy=manual", "stripe.count=2"});
  const std::string content = noise(3 * kMiB, 1), cold = noise(3 * kMiB, 2);
  write_file(cluster.outside("cold"), cold);
  const OpenFile written(cluster.inside(1, "a"), O_CREAT | O_RDWR), opened(cluster.inside(1, "cold"), O_RDWR);
  written.write_at(0, content);
  cluster.kill_daemon(2, "storaged");
  cluster.start_again();
  EXPECT_EQ(content_difference(content, written.read_at(0, content.size())), "");
  EXPECT_EQ(content_difference(cold, opened.read_at(0, cold.size())), "") << "nothing of it was there before";
  opened.write_at(kMiB, "new");
  written.write_at(2 * kMiB, "new");
  cluster.run({"flush", cluster.mountpoint(2)});
  std::string expected = content;
  expected.replace(2 * kMiB, 3, "new");
  EXPECT_EQ(content_difference(expected, read_file(cluster.outside("a"))), "");
  expected = cold;
  expected.replace(kMiB, 3, "new");
  EXPECT_EQ(content_difference(expected, read_file(cluster.outside("cold"))), "");
}

TEST_F(Restart, AMetadataServerThatWasKilledTakesUpWhatIsDirty) {
  TestCluster cluster(2, {"flush.policy=manual"});
  const std::string content = noise(2 * kMiB);
  write_file(cluster.inside(1, "a"), content);
  write_file(cluster.inside(2, "b"), content);
  cluster.kill_daemon(1, "metad");
  const auto began = std::chrono::steady_clock::now();
  cluster.start_again();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20)) << "somebody waits for somebody";
  EXPECT_EQ(content_difference(content, read_file(cluster.inside(2, "a"))), "");
  EXPECT_EQ(content_difference(content, read_file(cluster.inside(1, "b"))), "");
  cluster.run({"flush", cluster.mountpoint(2)});
  EXPECT_EQ(content_difference(content, read_file(cluster.outside("a"))), "");
  EXPECT_EQ(content_difference(content, read_file(cluster.outside("b"))), "");
}

}  // namespace
}  // namespace forebay::test
