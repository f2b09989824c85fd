// Files that a node opens without asking their metadata server, because it has looked at them a moment ago.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <random>

#include "tests/support/seed.h"
#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

class Delegations : public MountTest {
 protected:
  static constexpr std::chrono::seconds kSoon{20};

  // A file that is on the node, all of it, with attributes that the node has asked for since.
  static void bring(TestCluster& cluster, int node, const std::string& name, const std::string& content) {
    write_file(cluster.outside(name), content);
    ASSERT_EQ(read_file(cluster.inside(node, name)), content);
    const auto until = std::chrono::steady_clock::now() + kSoon;
    while (!cluster.stat(node, name).at("cached").get<bool>() && std::chrono::steady_clock::now() < until) {
    }
    touch_attributes(cluster, node, name);
  }
  // Whatever the node knew of it, it asks again.
  static void touch_attributes(TestCluster& cluster, int node, const std::string& name) {
    const int other = node % cluster.nodes() + 1;
    const mode_t mode = stat_of(cluster.inside(other, name)).st_mode;
    ASSERT_EQ(::chmod(cluster.inside(other, name).c_str(), mode ^ S_IXOTH), 0);
    (void)stat_of(cluster.inside(node, name));
  }
  static pid_t metad_of(TestCluster& cluster) { return std::stoi(read_file(cluster.data(1) + "/metad.pid")); }
};

TEST_F(Delegations, AnOpenAsksNoMetadataServer) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"}, {}, 1);
  bring(cluster, 2, "file", "content");
  const pid_t metad = metad_of(cluster);
  ASSERT_EQ(::kill(metad, SIGSTOP), 0);
  const ProcessResult read = run_process({"cat", cluster.inside(2, "file")}, {.timeout = std::chrono::seconds(5)});
  ASSERT_EQ(::kill(metad, SIGCONT), 0);
  EXPECT_EQ(read.out, "content");
}

TEST_F(Delegations, WhatWasMadeHereIsOpenedAgainWithoutAQuestion) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"}, {}, 1);
  bring(cluster, 2, "file", "content");  // by now the node is given answers to keep
  const OpenFile maker(cluster.inside(2, "new"), O_WRONLY | O_CREAT);
  const pid_t metad = metad_of(cluster);
  ASSERT_EQ(::kill(metad, SIGSTOP), 0);
  // It opens and reads, and asks for no attributes.
  const ProcessResult read = run_process({"bash", "-c", "read -r text < " + cluster.inside(2, "new") + "; echo done"},
                                         {.timeout = std::chrono::seconds(5)});
  ASSERT_EQ(::kill(metad, SIGCONT), 0);
  EXPECT_EQ(read.out, "done\n");
}

// What is changed on any node is seen by the next open on each of them.
TEST_F(Delegations, HideNoChangeOfAnotherNode) {
  constexpr int kSteps = 300, kNames = 4, kNodes = 3;
  std::mt19937 random(test_seed());
  const auto below = [&](uint32_t bound) { return static_cast<uint32_t>(random() % bound); };
  TestCluster cluster(kNodes, {"consistency.attr_ttl=8s"});
  std::map<std::string, std::string> model;
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    const int writer = 1 + static_cast<int>(below(kNodes));
    const std::string name = fmt::format("f{}", below(kNames)), path = cluster.inside(writer, name);
    const std::string data = noise(1 + below(20'000), step);
    const uint32_t what = below(6);
    SCOPED_TRACE(testing::Message() << "step " << step << ": kind " << what << " of " << path);
    const bool is_there = model.contains(name);
    if (what == 0 || !is_there) {
      write_file(path, data);
      model[name] = data;
    } else if (what == 1) {
      const OpenFile file(path, O_WRONLY);
      file.write_at(0, data);
      model[name].replace(0, data.size(), data);
    } else if (what == 2) {
      write_file(path + ".new", data);
      ASSERT_EQ(::rename((path + ".new").c_str(), path.c_str()), 0);
      model[name] = data;
    } else if (what == 3) {
      const size_t size = below(20'000);
      ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(size)), 0);
      model[name].resize(size);
    } else if (what == 4) {
      const OpenFile file(path, O_WRONLY | O_APPEND);
      ASSERT_EQ(::write(file.fd(), data.data(), data.size()), static_cast<ssize_t>(data.size()));
      model[name] += data;
    } else {
      ASSERT_EQ(::unlink(path.c_str()), 0);
      model.erase(name);
    }
    for (int node = 1; node <= kNodes; ++node) {
      for (const auto& [each, content] : model) {
        EXPECT_EQ(content_difference(content, read_file(cluster.inside(node, each))), "") << each << " on " << node;
      }
      EXPECT_EQ(exists(cluster.inside(node, name)), model.contains(name)) << node;
    }
  }
}

TEST_F(Delegations, AFileThatIsRemovedAfterwardsIsReadToItsEnd) {
  TestCluster cluster(2, {"consistency.attr_ttl=500ms"});
  for (int round = 0; round < 20 && !HasFailure(); ++round) {
    const int remover = 1 + round % 2;
    const std::string name = fmt::format("file{}", round), content = noise(100'000, round);
    bring(cluster, 2, name, content);
    const OpenFile reader(cluster.inside(2, name));
    ASSERT_EQ(::unlink(cluster.inside(remover, name).c_str()), 0);
    EXPECT_EQ(content_difference(content, reader.read_at(0, content.size() + 1)), "");
    // Also when the metadata server has been told. This asks the target, whoever reads.
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
    while (std::chrono::steady_clock::now() < until) {
      ASSERT_EQ(::lseek(reader.fd(), 0, SEEK_HOLE), static_cast<off_t>(content.size())) << errno;
    }
    struct stat found;
    ASSERT_EQ(::fstat(reader.fd(), &found), 0);
    EXPECT_EQ(found.st_nlink, 0u);
    EXPECT_EQ(found.st_size, static_cast<off_t>(content.size()));
  }
}

// The metadata server knows of who goes on reading, and looks at the outside for him.
TEST_F(Delegations, WhoGoesOnReadingSeesWhatTheOutsideChanges) {
  TestCluster cluster(2, {"consistency.attr_ttl=500ms"});
  bring(cluster, 2, "file", "before");
  const OpenFile reader(cluster.inside(2, "file"));
  ASSERT_EQ(reader.read_at(0, 100), "before");
  overwrite(cluster.outside("file"), 0, "behind");
  const auto until = std::chrono::steady_clock::now() + kSoon;
  while (reader.read_at(0, 100) == "before" && std::chrono::steady_clock::now() < until) {
  }
  EXPECT_EQ(reader.read_at(0, 100), "behind");
}

TEST_F(Delegations, WhatTheOutsideHasEmptiedIsEmpty) {
  TestCluster cluster(2, {"consistency.attr_ttl=300ms"});
  bring(cluster, 2, "file", noise(100'000));
  write_file(cluster.outside("file"), "");
  const auto until = std::chrono::steady_clock::now() + kSoon;
  while (stat_of(cluster.inside(2, "file")).st_size > 0 && std::chrono::steady_clock::now() < until) {
  }
  EXPECT_EQ(read_file(cluster.inside(2, "file")), "");
  EXPECT_EQ(read_file(cluster.inside(1, "file")), "");
}

TEST_F(Delegations, WhatIsOpenDoesNotLeave) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  bring(cluster, 2, "file", noise(100'000));
  {
    const OpenFile reader(cluster.inside(2, "file"));
    (void)cluster.try_run({"evict", cluster.inside(1, "file")});
    EXPECT_EQ(cluster.stat(2, "file").at("present_bytes"), 100'000);
  }
  cluster.run({"evict", cluster.inside(2, "file")});
  EXPECT_EQ(cluster.stat(2, "file").at("present_bytes"), 0);
  EXPECT_EQ(content_difference(noise(100'000), read_file(cluster.inside(2, "file"))), "");
}

}  // namespace
}  // namespace forebay::test
