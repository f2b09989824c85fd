// Links between nodes that are narrow, or gone for a while.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <chrono>
#include <future>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

class NetworkOfACluster : public MountTest {
 protected:
  // Reads all of it, and comes back when that is done.
  static std::future<std::string> read_behind(const OpenFile& file, size_t bytes) {
    return std::async(std::launch::async, [&file, bytes] { return file.read_at(0, bytes); });
  }
  static void await_log(const TestCluster& cluster, int node, const std::string& daemon, const std::string& text) {
    constexpr std::chrono::seconds kLongest{60};
    const auto until = std::chrono::steady_clock::now() + kLongest;
    const auto is_there = [&] { return read_file(cluster.data(node) + "/" + daemon + ".log").find(text) != text.npos; };
    while (!is_there() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(kPause);
    ASSERT_TRUE(is_there()) << text;
  }

  static constexpr std::chrono::milliseconds kPause{100}, kMoment{1000};
};

TEST_F(NetworkOfACluster, WhatANarrowLinkBringsIsWhole) {
  TestCluster cluster(2, {"flush.policy=manual"});
  const std::string content = noise(4 * kMiB, 1), other = noise(2 * kMiB, 2);
  write_file(cluster.inside(1, "file"), content);
  for (const int node : {1, 2}) cluster.limit(node, 8 << 20);
  EXPECT_EQ(content_difference(content, read_file(cluster.inside(2, "file"))), "");
  const OpenFile there(cluster.inside(2, "file"), O_RDWR);
  there.write_at(kMiB, other);
  EXPECT_EQ(content_difference(content.substr(0, kMiB) + other + content.substr(3 * kMiB),
                               read_file(cluster.inside(1, "file"))),
            "");
}

TEST_F(NetworkOfACluster, ACutOfAMomentIsWaitedFor) {
  TestCluster cluster(2, {"flush.policy=manual"});
  const std::string content = noise(4 * kMiB, 1), more = noise(kMiB, 2);
  write_file(cluster.inside(1, "file"), content);
  const OpenFile reader(cluster.inside(2, "file")), writer(cluster.inside(2, "file"), O_RDWR);
  ASSERT_EQ(::flock(writer.fd(), LOCK_EX), 0);
  cluster.cut(2);
  std::future<std::string> read = read_behind(reader, content.size());
  EXPECT_EQ(read.wait_for(kMoment), std::future_status::timeout) << "it is cut";
  cluster.mend(2);
  EXPECT_EQ(content_difference(content, read.get()), "");
  writer.write_at(content.size(), more);
  EXPECT_EQ(content_difference(content + more, read_file(cluster.inside(1, "file"))), "");
  const OpenFile other(cluster.inside(1, "file"));
  EXPECT_NE(::flock(other.fd(), LOCK_EX | LOCK_NB), 0) << "the lock outlived the cut";
}

// What it has open counts as closed, and leaves the cache; when the node is back it is opened again.
TEST_F(NetworkOfACluster, ANodeThatWasCutOffForLongGoesOn) {
  TestCluster cluster(3, {"flush.policy=manual"}, {}, 1);
  const std::string content = noise(2 * kMiB, 1), more = noise(kMiB, 2);
  write_file(cluster.outside("file"), content);
  EXPECT_EQ(read_file(cluster.inside(3, "file")).size(), content.size());  // its chunks are there
  const OpenFile file(cluster.inside(2, "file"), O_RDWR);
  EXPECT_EQ(file.read_at(0, 10), content.substr(0, 10));
  cluster.cut(2);
  ASSERT_NO_FATAL_FAILURE(await_log(cluster, 1, "metad", "n2 is gone"));
  cluster.run({"evict", cluster.inside(1, "file")});
  EXPECT_EQ(cluster.stat(1, "file").at("present_bytes"), 0);
  cluster.mend(2);
  EXPECT_EQ(content_difference(content, file.read_at(0, content.size())), "");
  file.write_at(content.size(), more);
  EXPECT_EQ(content_difference(content + more, read_file(cluster.inside(1, "file"))), "");
}

}  // namespace
}  // namespace forebay::test
