// New files: their targets hear of them from the client, or when they are written; and names that are not there.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

class NewFilesOfACluster : public MountTest {
 protected:
  static constexpr std::chrono::seconds kSoon{20};
  static constexpr int kMany = 200;

  static void make_many_empty(const TestCluster& cluster, int node) {
    for (int i = 0; i < kMany; ++i) {
      const OpenFile made(cluster.inside(node, fmt::format("empty{}", i)), O_WRONLY | O_CREAT | O_EXCL);
    }
  }
  static pid_t metad_of(const TestCluster& cluster) { return std::stoi(read_file(cluster.data(1) + "/metad.pid")); }
};

TEST_F(NewFilesOfACluster, WhatIsWrittenAmongManyThatStayEmptyIsSeenByAll) {
  TestCluster cluster(2, {"flush.policy=manual"});
  const std::string content = noise(3 * kMiB);
  for (const int node : {1, 2}) {
    make_many_empty(cluster, node);
    const std::string name = fmt::format("file{}", node);
    const OpenFile file(cluster.inside(node, name), O_RDWR | O_CREAT | O_EXCL);
    EXPECT_EQ(file.read_at(0, 10), "");
    file.write_at(0, content);
    EXPECT_EQ(content_difference(content, file.read_at(0, content.size())), "");
    EXPECT_EQ(content_difference(content, read_file(cluster.inside(3 - node, name))), "");
    EXPECT_EQ(file.sync(), 0);
    for (int i = 0; i < kMany; ++i) {
      ASSERT_EQ(::unlink(cluster.inside(3 - node, fmt::format("empty{}", i)).c_str()), 0);
    }
  }
  cluster.run({"flush", cluster.mountpoint(1)});
  for (const char* name : {"file1", "file2"}) {
    EXPECT_EQ(content_difference(content, read_file(cluster.outside(name))), "") << name;
  }
}

// No target knows of it when its metadata server ends.
TEST_F(NewFilesOfACluster, OneThatIsStillEmptyIsWrittenAfterARestartOfItsServers) {
  TestCluster cluster(2, {"flush.policy=manual"}, {}, 1);
  make_many_empty(cluster, 2);
  const OpenFile file(cluster.inside(2, "file"), O_RDWR | O_CREAT | O_EXCL);
  // The server has its database for itself alone; a copy is whole, or is made once more.
  const std::string copy = cluster.make("copy") + "/metadata.db", original = cluster.data(1) + "/metad/metadata.db";
  const std::string look = fmt::format(
      "cp {0} {1} && cp {0}-wal {1}-wal && sqlite3 {1} \"SELECT count(*) FROM dentry WHERE name = CAST('file' AS "
      "BLOB)\"",
      original, copy);
  const auto is_recorded = [&] { return run_process({"sh", "-c", look}).out == "1\n"; };
  const auto until = std::chrono::steady_clock::now() + kSoon;
  while (!is_recorded() && std::chrono::steady_clock::now() < until) {
  }
  ASSERT_TRUE(is_recorded());
  cluster.kill_daemon(1, "metad");
  cluster.kill_daemon(2, "storaged");
  cluster.start_again();
  file.write_at(0, "content");
  EXPECT_EQ(read_file(cluster.inside(1, "file")), "content");
  cluster.run({"flush", cluster.mountpoint(1)});
  EXPECT_EQ(read_file(cluster.outside("file")), "content");
}

TEST_F(NewFilesOfACluster, NamesThatAreNotThereAreKnownWithoutAQuestion) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"}, {}, 1);
  make_many_empty(cluster, 2);
  const pid_t metad = metad_of(cluster);
  ASSERT_EQ(::kill(metad, SIGSTOP), 0);
  const ProcessResult looked =
      run_process({"test", "!", "-e", cluster.inside(2, "nothing")}, {.timeout = std::chrono::seconds(5)});
  ASSERT_EQ(::kill(metad, SIGCONT), 0);
  EXPECT_TRUE(looked.ok());
}

TEST_F(NewFilesOfACluster, WhatAnotherNodeMakesAmongThemIsSeenAtOnce) {
  TestCluster cluster(3, {"consistency.attr_ttl=8s"});
  constexpr int kRounds = 20;
  for (int i = 0; i < kRounds; ++i) {
    const std::string directory = fmt::format("d{}", i);
    ASSERT_EQ(::mkdir(cluster.inside(2, directory).c_str(), 0755), 0);
    for (int file = 0; file < 40; ++file) {
      const OpenFile made(cluster.inside(2, fmt::format("{}/f{}", directory, file)), O_WRONLY | O_CREAT | O_EXCL);
    }
    const std::string made = directory + "/made", moved = directory + "/moved";
    EXPECT_FALSE(exists(cluster.inside(2, made)));
    EXPECT_FALSE(exists(cluster.inside(2, moved)));
    write_file(cluster.inside(1, made), "content");
    EXPECT_TRUE(exists(cluster.inside(2, made))) << made;
    ASSERT_EQ(::rename(cluster.inside(3, made).c_str(), cluster.inside(3, moved).c_str()), 0);
    EXPECT_TRUE(exists(cluster.inside(2, moved))) << moved;
    EXPECT_FALSE(exists(cluster.inside(2, made))) << made;
  }
}

}  // namespace
}  // namespace forebay::test
