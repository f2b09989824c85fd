// Servers that are killed and started anew under their clients.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

class Restart : public MountTest {
 protected:
  // Those of the storage servers that lead to `path`.
  static int descriptors_of(const TestCluster& cluster, const std::string& path) {
    int count = 0;
    for (int node = 1; node <= cluster.nodes(); ++node) {
      const std::string pid = std::to_string(std::stoi(read_file(cluster.data(node) + "/storaged.pid")));
      for (const auto& entry : std::filesystem::directory_iterator("/proc/" + pid + "/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path(), gone) == path) ++count;
      }
    }
    return count;
  }
};

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

// What is said of all targets is said without it; but that nothing is dirty, nobody knows.
TEST_F(Restart, NobodyWaitsForAStorageServerThatIsNotThere) {
  TestCluster cluster(2);
  cluster.end_storaged(2);
  const auto began = std::chrono::steady_clock::now();
  const OpenFile file(cluster.inside(2, "a"), O_CREAT | O_RDWR);
  file.write_at(0, noise(kMiB));
  ASSERT_EQ(::ftruncate(file.fd(), 1000), 0);
  ASSERT_EQ(::truncate(cluster.inside(1, "a").c_str(), 2000), 0);
  EXPECT_EQ(cluster.status(2).at("silent_servers"), 1);
  EXPECT_TRUE(cluster.status(2).at("dirty_bytes").is_null()) << "it may have some";
  const ProcessResult text = cluster.try_run({"status", cluster.mountpoint(2)});
  EXPECT_NE(text.out.find("not known: 1 server does not answer"), std::string::npos) << text.out;
  cluster.run({"flush", cluster.mountpoint(2)});
  EXPECT_EQ(content_difference(noise(kMiB).substr(0, 1000) + std::string(1000, '\0'), read_file(cluster.outside("a"))),
            "");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
}

TEST_F(Restart, WithoutAMetadataServerNobodyKnowsWhetherAllIsOut) {
  TestCluster cluster(2, {"flush.policy=manual"}, {}, 2);
  const auto has_number_1 = [&](int node) {
    return read_file(cluster.data(node) + "/metad.log").find("metad 1 listens") != std::string::npos;
  };
  const int node = has_number_1(1) ? 1 : 2;  // the other has the root, and status waits for that
  ASSERT_TRUE(has_number_1(node));
  EXPECT_EQ(cluster.status(1).at("dirty_bytes"), 0);
  EXPECT_EQ(cluster.status(1).at("silent_servers"), 0);
  cluster.kill_daemon(node, "metad");
  const Json status = cluster.status(1);
  EXPECT_EQ(status.at("silent_servers"), 1);
  EXPECT_TRUE(status.at("dirty_bytes").is_null());
  EXPECT_TRUE(status.at("dirty_files").is_null());
  EXPECT_GT(status.at("capacity_bytes"), 0);
  cluster.start_again();
  EXPECT_EQ(cluster.status(1).at("dirty_bytes"), 0);
}

TEST_F(Restart, WithoutTheManagerAllGoesOn) {
  TestCluster cluster(2, {"flush.policy=manual"});
  for (int node = 1; node <= 2; ++node) {  // so that each knows all others
    const std::string name = "of" + std::to_string(node);
    write_file(cluster.inside(node, name), noise(kMiB));
    for (int other = 1; other <= 2; ++other) EXPECT_EQ(read_file(cluster.inside(other, name)).size(), kMiB);
  }
  EXPECT_EQ(cluster.status(2).at("mgmtd_silent_s"), 0);
  cluster.kill_daemon(1, "mgmtd");
  const auto began = std::chrono::steady_clock::now();
  const std::string content = noise(kMiB, 2);
  write_file(cluster.inside(2, "new"), content);
  EXPECT_EQ(content_difference(content, read_file(cluster.inside(1, "new"))), "");
  EXPECT_EQ(cluster.status(1).at("dirty_files"), 3);
  EXPECT_EQ(cluster.status(1).at("targets").size(), 2u);
  cluster.run({"flush", cluster.mountpoint(1)});
  EXPECT_EQ(content_difference(content, read_file(cluster.outside("new"))), "");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  const auto is_silent = [&] { return cluster.status(2).at("mgmtd_silent_s") > 0; };
  while (!is_silent() && std::chrono::steady_clock::now() - began < std::chrono::seconds(20)) std::this_thread::yield();
  EXPECT_TRUE(is_silent());
  cluster.stop();
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

class RestartOfMetad : public Restart, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(By, RestartOfMetad, testing::Values(SIGKILL, SIGTERM),
                         [](const auto& tested) { return tested.param == SIGKILL ? "Kill" : "Order"; });

TEST_P(RestartOfMetad, WhoHasAFileOpenOrStandsInADirectoryGoesOn) {
  TestCluster cluster(2, {"flush.policy=manual"});
  const std::string content = noise(3 * kMiB, 1), more = noise(kMiB, 2);
  ASSERT_EQ(::mkdir(cluster.outside("d").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(cluster.outside("d/below").c_str(), 0755), 0);
  write_file(cluster.outside("d/below/file"), content);
  const OpenFile directory(cluster.inside(2, "d/below"), O_PATH | O_DIRECTORY);
  const OpenFile reader(cluster.inside(2, "d/below/file")), writer(cluster.inside(1, "new"), O_CREAT | O_RDWR);
  EXPECT_EQ(reader.read_at(0, 1000), content.substr(0, 1000));
  writer.write_at(0, more);  // commits what the server knows by now
  cluster.kill_daemon(1, "metad", GetParam());
  cluster.start_again();
  struct stat found;
  ASSERT_EQ(::fstatat(directory.fd(), "file", &found, 0), 0) << errno;
  EXPECT_EQ(static_cast<size_t>(found.st_size), content.size());
  ASSERT_EQ(::fstat(reader.fd(), &found), 0) << errno;
  EXPECT_EQ(content_difference(content, reader.read_at(0, content.size())), "");
  writer.write_at(kMiB, more);
  EXPECT_EQ(writer.sync(), 0);
  ASSERT_EQ(::fstat(writer.fd(), &found), 0) << errno;
  EXPECT_EQ(static_cast<size_t>(found.st_size), 2 * kMiB);
  EXPECT_EQ(stat_of(cluster.inside(2, "new")).st_size, static_cast<off_t>(2 * kMiB));
  cluster.run({"flush", cluster.mountpoint(2)});
  EXPECT_EQ(content_difference(more + more, read_file(cluster.outside("new"))), "");
}

// As when their node was rebooted. The new servers know of no handle, so the files may leave the cache; and lie
// elsewhere when they come back.
TEST_P(RestartOfMetad, WithItsStorageServerWhatIsOpenIsOpenedAgain) {
  TestCluster cluster(3, {"flush.policy=manual"});
  std::string content = noise(3 * kMiB, 1);
  const std::string more = noise(10'000, 2);
  for (const char* name : {"read", "written"}) {
    write_file(cluster.outside(name), content);
    EXPECT_EQ(read_file(cluster.inside(1, name)).size(), content.size());  // its chunks are on this node
  }
  {
    const OpenFile reader(cluster.inside(2, "read")), other(cluster.inside(3, "read"));
    const OpenFile writer(cluster.inside(2, "written"), O_RDWR),
        second(cluster.inside(2, "written"), O_RDWR | O_APPEND);
    EXPECT_EQ(reader.read_at(0, 1000), content.substr(0, 1000));
    cluster.kill_daemon(1, "metad", GetParam());
    cluster.kill_daemon(1, "storaged", GetParam());
    cluster.start_again();
    for (const char* name : {"read", "written"}) {
      cluster.run({"evict", cluster.inside(3, name)});
      EXPECT_EQ(cluster.stat(3, name).at("present_bytes"), 0) << name;
    }
    EXPECT_EQ(content_difference(content, reader.read_at(0, content.size())), "");
    EXPECT_EQ(content_difference(content, other.read_at(0, content.size())), "");
    writer.write_at(kMiB, more);
    ASSERT_EQ(::write(second.fd(), more.data(), more.size()), static_cast<ssize_t>(more.size()));
    content = content.replace(kMiB, more.size(), more) + more;
    EXPECT_EQ(content_difference(content, read_file(cluster.inside(3, "written"))), "");
  }
  cluster.run({"flush", cluster.mountpoint(2)});
  EXPECT_EQ(content_difference(content, read_file(cluster.outside("written"))), "");
  // Each handle was opened once again: with the last close the way outside ends.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (descriptors_of(cluster, cluster.outside("read")) > 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(descriptors_of(cluster, cluster.outside("read")), 0);
}

}  // namespace
}  // namespace forebay::test
