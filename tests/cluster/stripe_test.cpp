// Files on several targets, as users see them: layouts, and the same POSIX semantics as files on one.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "tests/support/loop_disk.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_cluster.h"
#include "tests/support/walk.h"

namespace forebay::test {
namespace {

constexpr uint64_t kSmallChunk = 64 << 10;

class Stripes : public MountTest {
 protected:
  static std::vector<uint32_t> targets_of(TestCluster& cluster, int node, const std::string& name) {
    return cluster.stat(node, name).at("layout").at("targets").get<std::vector<uint32_t>>();
  }
};

TEST_F(Stripes, ADirectorySaysOverHowManyTargetsItsFilesLie) {
  TestCluster cluster(3);
  ASSERT_EQ(::mkdir(cluster.inside(1, "d").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(cluster.inside(1, "d/below").c_str(), 0755), 0);
  cluster.run({"layout", "set", cluster.inside(2, "d"), "--count", "3", "--chunk-size", "64KiB"});
  const std::string content = noise(3 * kMiB + 77);
  write_file(cluster.inside(1, "d/below/a"), content);
  EXPECT_EQ(targets_of(cluster, 2, "d/below/a").size(), 3u);
  EXPECT_EQ(cluster.stat(2, "d/below/a").at("layout").at("chunk_size"), kSmallChunk);
  for (int node = 1; node <= 3; ++node) {
    EXPECT_EQ(content_difference(content, read_file(cluster.inside(node, "d/below/a"))), "") << node;
  }
  write_file(cluster.inside(1, "beside"), content);
  EXPECT_EQ(targets_of(cluster, 2, "beside").size(), 1u);
  cluster.run({"layout", "set", cluster.inside(3, "d/below"), "--count", "1"});
  write_file(cluster.inside(1, "d/below/b"), content);
  EXPECT_EQ(targets_of(cluster, 2, "d/below/b").size(), 1u);
  cluster.run({"layout", "set", cluster.inside(3, "d/below"), "--inherit"});
  const ProcessResult shown = cluster.try_run({"layout", "get", cluster.inside(1, "d/below")});
  EXPECT_EQ(shown.out, cluster.inside(1, "d/below") + ": count 3, chunk size 64.0 KiB\n");
  cluster.stop();
  EXPECT_EQ(content_difference(content, read_file(cluster.outside("d/below/a"))), "");
}

TEST_F(Stripes, WrongLayoutsAreRefusedAndChangeNothing) {
  TestCluster cluster(1);
  ASSERT_EQ(::mkdir(cluster.inside(1, "d").c_str(), 0755), 0);
  write_file(cluster.inside(1, "a"), "a file");
  const std::string directory = cluster.inside(1, "d");
  const std::vector<std::vector<std::string>> wrong = {{"layout", "set", directory, "--count", "0"},
                                                       {"layout", "set", directory, "--count", "many"},
                                                       {"layout", "set", directory, "--count", "100000"},
                                                       {"layout", "set", directory, "--chunk-size", "100"},
                                                       {"layout", "set", directory, "--chunk-size", "100000"},
                                                       {"layout", "set", directory, "--chunk-size", "2GiB"},
                                                       {"layout", "set", cluster.inside(1, "a"), "--count", "2"},
                                                       {"layout", "set", cluster.inside(1, "none")},
                                                       {"layout", "set", "/tmp", "--count", "2"}};
  for (const auto& words : wrong) {
    const ProcessResult result = cluster.try_run(words);
    EXPECT_NE(result.exit_status, 0) << fmt::format("{}", fmt::join(words, " "));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_EQ(cluster.try_run({"layout", "get", directory}).out, directory + ": count auto, chunk size auto\n");
}

TEST_F(Stripes, WhatIsLargeOutsideIsStripedOverAllTargets) {
  TestCluster cluster(3, {"stripe.threshold=1MiB"});
  const std::string content = noise(4 * kMiB);
  write_file(cluster.outside("large"), content);
  write_file(cluster.outside("small"), content.substr(0, kMiB));
  EXPECT_EQ(content_difference(content, read_file(cluster.inside(2, "large"))), "");
  EXPECT_EQ(content_difference(content.substr(0, kMiB), read_file(cluster.inside(2, "small"))), "");
  EXPECT_EQ(targets_of(cluster, 1, "large").size(), 3u);
  EXPECT_EQ(targets_of(cluster, 1, "small").size(), 1u);
}

TEST_F(Stripes, ManyClientsAppendToOneFileAndNothingIsLost) {
  constexpr int kNodes = 3, kRecords = 60;
  TestCluster cluster(kNodes, {"stripe.count=3"});
  write_file(cluster.inside(1, "log"), "");
  std::vector<std::thread> writers;
  for (int node = 1; node <= kNodes; ++node) {
    writers.emplace_back([&, node] {
      const OpenFile log(cluster.inside(node, "log"), O_WRONLY | O_APPEND);
      for (int record = 0; record < kRecords; ++record) {
        const std::string block(10'000, static_cast<char>('0' + node));
        ASSERT_EQ(::write(log.fd(), block.data(), block.size()), static_cast<ssize_t>(block.size()));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string all = read_file(cluster.inside(2, "log"));
  ASSERT_EQ(all.size(), size_t{10'000} * kNodes * kRecords);
  for (size_t at = 0; at < all.size(); at += 10'000) EXPECT_EQ(all.substr(at, 10'000), std::string(10'000, all[at]));
}

// Parts that still move change the external file after another has failed.
TEST_F(Stripes, AFlushThatFailsInOnePartIsNoConflictAfterwards) {
  const TempDir directory;
  LoopDisk disk(directory.make("disk"), 32 * kMiB);
  TestCluster cluster(3, {"flush.policy=manual", "stripe.count=3"}, disk.mountpoint());
  const std::string content = noise(6 * kMiB);
  write_file(cluster.inside(1, "a"), content);
  disk.fill_up(3 * kMiB);
  EXPECT_NE(cluster.try_run({"flush", cluster.mountpoint(2)}).exit_status, 0) << "there is no room";
  disk.make_room();
  cluster.run({"flush", cluster.mountpoint(2)});
  EXPECT_EQ(content_difference(content, read_file(cluster.outside("a"))), "");
  EXPECT_FALSE(cluster.stat(1, "a").at("dirty"));
  for (const std::string& name : names_in(cluster.outside(""))) EXPECT_EQ(name.find("conflict"), name.npos) << name;
  cluster.stop();
}

TEST_F(Stripes, TheWalkAgreesOnAllMountsAtOnce) {
  TestCluster cluster(3, {"flush.delay=50ms"});
  const std::string models = cluster.make("models");
  cluster.run({"layout", "set", cluster.mountpoint(1), "--count", "3", "--chunk-size", "64KiB"});
  std::vector<testing::AssertionResult> agreed(3, testing::AssertionSuccess());
  std::vector<std::thread> walks;
  for (int node = 1; node <= cluster.nodes(); ++node) {
    walks.emplace_back([&, node] {
      const std::string name = "w" + std::to_string(node);
      ASSERT_EQ(::mkdir(cluster.inside(node, name).c_str(), 0755), 0);
      ASSERT_EQ(::mkdir((models + "/" + name).c_str(), 0755), 0);
      agreed[static_cast<size_t>(node) - 1] =
          walk_agrees(cluster.inside(node, name), models + "/" + name, walk_steps(40));
    });
  }
  for (std::thread& one : walks) one.join();
  for (const testing::AssertionResult& one : agreed) EXPECT_TRUE(one);
  EXPECT_TRUE(trees_are_equal(models, cluster.mountpoint(2)));
  cluster.stop();
  EXPECT_TRUE(trees_are_equal(models, cluster.outside("")));
}

TEST_F(Stripes, ADrainedTargetIsEmptiedAndGetsNothingNew) {
  TestCluster cluster(2);
  const std::string content = noise(2 * kMiB);
  write_file(cluster.inside(1, "a"), content);
  const uint32_t target = targets_of(cluster, 1, "a").front();
  cluster.run({"targets", "drain", std::to_string(target), cluster.mountpoint(2)});
  const auto used = [&] {
    const Json status = cluster.status(2);
    for (const Json& row : status.at("targets")) {
      if (row.at("id") == target) return row.at("used_bytes").get<uint64_t>();
    }
    return UINT64_MAX;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (cluster.stat(1, "a").at("present_bytes") != 0 || used() != 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it is never empty";
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(content_difference(content, read_file(cluster.outside("a"))), "") << "what was dirty is outside";
  write_file(cluster.inside(1, "b"), "new");
  EXPECT_NE(targets_of(cluster, 1, "b").front(), target);
  EXPECT_EQ(content_difference(content, read_file(cluster.inside(1, "a"))), "");
  EXPECT_NE(targets_of(cluster, 1, "a").front(), target) << "and what is read again lies elsewhere";
  EXPECT_NE(cluster.try_run({"targets", "drain", "4711", cluster.mountpoint(2)}).exit_status, 0);
}

}  // namespace
}  // namespace forebay::test
