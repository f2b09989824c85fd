// A cluster as its users see it: the same tree on every node, and what one has written the others read.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

class Cluster : public MountTest {};

TEST_F(Cluster, WhatOneNodeWritesTheOthersReadAtOnce) {
  TestCluster cluster(3);
  const std::string first = noise(3 * kMiB, 1), second = noise(3 * kMiB, 2);
  write_file(cluster.inside(1, "a"), first);
  for (int node = 1; node <= 3; ++node) EXPECT_EQ(content_difference(first, read_file(cluster.inside(node, "a"))), "");
  write_file(cluster.inside(3, "a"), second);
  for (int node = 1; node <= 3; ++node) EXPECT_EQ(content_difference(second, read_file(cluster.inside(node, "a"))), "");
  cluster.stop();
  EXPECT_EQ(content_difference(second, read_file(cluster.outside("a"))), "");
}

TEST_F(Cluster, WhatIsWrittenIsReadThroughHandlesThatWereOpenBefore) {
  TestCluster cluster(2);
  write_file(cluster.inside(1, "a"), std::string(100, 'a'));
  const OpenFile here(cluster.inside(1, "a"), O_RDWR), there(cluster.inside(2, "a"), O_RDWR);
  EXPECT_EQ(here.read_at(0, 100), there.read_at(0, 100));
  for (char letter = 'b'; letter < 'm'; ++letter) {
    const OpenFile& writer = letter % 2 == 0 ? here : there;
    const OpenFile& reader = letter % 2 == 0 ? there : here;
    writer.write_at(letter - 'b', std::string(200, letter));
    EXPECT_EQ(reader.read_at(letter - 'b', 300), std::string(200, letter));
  }
}

TEST_F(Cluster, NamesAndAttributesAreTheSameEverywhereAtOnce) {
  TestCluster cluster(2);
  ASSERT_FALSE(exists(cluster.inside(2, "a"))) << "that there is none is not remembered";
  write_file(cluster.inside(1, "a"), "one");
  EXPECT_EQ(stat_of(cluster.inside(2, "a")).st_size, 3);
  ASSERT_EQ(::chmod(cluster.inside(1, "a").c_str(), 0600), 0);
  EXPECT_EQ(stat_of(cluster.inside(2, "a")).st_mode & 0777, 0600u);
  ASSERT_EQ(::mkdir(cluster.inside(2, "d").c_str(), 0755), 0);
  ASSERT_EQ(::rename(cluster.inside(1, "a").c_str(), cluster.inside(1, "d/b").c_str()), 0);
  EXPECT_FALSE(exists(cluster.inside(2, "a")));
  EXPECT_EQ(names_in(cluster.inside(2, "d")), std::set<std::string>{"b"});
  ASSERT_EQ(::unlink(cluster.inside(2, "d/b").c_str()), 0);
  EXPECT_FALSE(exists(cluster.inside(1, "d/b")));
  EXPECT_TRUE(names_in(cluster.inside(1, "d")).empty());
}

TEST_F(Cluster, AFileLiesOnTheNodeThatTouchesItFirst) {
  TestCluster cluster(3);
  for (int node = 1; node <= 3; ++node) {
    const std::string name = "of" + std::to_string(node);
    write_file(cluster.inside(node, name), noise(kMiB));
    const int target = cluster.stat(1, name).at("layout").at("targets").at(0);
    const Json status = cluster.status(1);
    Json of_target;
    for (const Json& known : status.at("targets")) {
      if (known.at("id") == target) of_target = known;
    }
    EXPECT_EQ(of_target.at("node"), "n" + std::to_string(node));
  }
}

TEST_F(Cluster, ManyClientsWriteOneFileInStridesAndLoseNothing) {
  constexpr int kNodes = 4, kBlocks = 200;
  constexpr size_t kBlockBytes = 5000;  // no multiple of a page: neighbours share pages
  TestCluster cluster(kNodes);
  write_file(cluster.inside(1, "shared"), "");
  std::vector<std::thread> writers;
  for (int node = 0; node < kNodes; ++node) {
    writers.emplace_back([&, node] {
      const OpenFile file(cluster.inside(node + 1, "shared"), O_WRONLY);
      for (int block = node; block < kBlocks; block += kNodes) {
        file.write_at(block * kBlockBytes, noise(kBlockBytes, block + 1));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  std::string expected;
  for (int block = 0; block < kBlocks; ++block) expected += noise(kBlockBytes, block + 1);
  for (int node = 1; node <= kNodes; ++node) {
    EXPECT_EQ(content_difference(expected, read_file(cluster.inside(node, "shared"))), "") << "node " << node;
  }
  cluster.stop();
  EXPECT_EQ(content_difference(expected, read_file(cluster.outside("shared"))), "");
}

TEST_F(Cluster, RecordsThatManyClientsAppendAreAllThere) {
  constexpr int kNodes = 3, kRecords = 100;
  TestCluster cluster(kNodes);
  write_file(cluster.inside(1, "log"), "");
  std::vector<std::thread> writers;
  for (int node = 1; node <= kNodes; ++node) {
    writers.emplace_back([&, node] {
      const OpenFile log(cluster.inside(node, "log"), O_WRONLY | O_APPEND);
      for (int record = 0; record < kRecords; ++record) {
        const std::string line = fmt::format("node {} record {:03}\n", node, record);
        ASSERT_EQ(::write(log.fd(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string all = read_file(cluster.inside(2, "log"));
  for (int node = 1; node <= kNodes; ++node) {
    size_t at = 0;
    for (int record = 0; record < kRecords; ++record) {
      at = all.find(fmt::format("node {} record {:03}\n", node, record), at);
      ASSERT_NE(at, std::string::npos) << "node " << node << " record " << record << " is lost, or out of order";
    }
  }
}

TEST_F(Cluster, AStopFlushesAndANextStartFindsWhatWasThere) {
  std::string content = noise(2 * kMiB);
  TestCluster cluster(2, {"flush.policy=manual"});
  write_file(cluster.inside(2, "a"), content);
  EXPECT_NE(stat_of(cluster.outside("a")).st_size, static_cast<off_t>(content.size())) << "not flushed yet";
  EXPECT_TRUE(cluster.stat(1, "a").at("dirty"));
  cluster.run({"flush", cluster.inside(1, "a")});
  EXPECT_FALSE(cluster.stat(2, "a").at("dirty"));
  EXPECT_EQ(content_difference(content, read_file(cluster.outside("a"))), "");
}

}  // namespace
}  // namespace forebay::test
