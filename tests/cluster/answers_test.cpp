// Names and attributes that the kernels of a cluster's nodes keep.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <tuple>

#include "tests/support/seed.h"
#include "tests/support/slow_outside.h"
#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

class KeptAnswers : public MountTest {
 protected:
  // A process that stands still; it goes on at the end.
  class Stopped {
   public:
    explicit Stopped(pid_t process) : process_(process) { ::kill(process_, SIGSTOP); }
    ~Stopped() { ::kill(process_, SIGCONT); }
    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;

   private:
    const pid_t process_;
  };
  static pid_t metad_of(TestCluster& cluster) { return std::stoi(read_file(cluster.data(1) + "/metad.pid")); }
  // What stat(1) says of it: "" if there is none. Waits no longer than some seconds.
  static std::string look(const std::string& path) {
    return run_process({"stat", "-c", "%s %a %h %y %F", path}, {.timeout = std::chrono::seconds(10)}).out;
  }
};

TEST_F(KeptAnswers, AreNotAskedForAgain) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  // Made outside: of a file that a node has written the last handle may not be released yet, and so nothing be kept.
  ASSERT_EQ(::mkdir(cluster.outside("d").c_str(), 0755), 0);
  write_file(cluster.outside("d/file"), "content");
  const std::string seen = look(cluster.inside(2, "d/file"));
  EXPECT_NE(seen, "");
  EXPECT_EQ(look(cluster.inside(2, "d/nothing")), "");
  const Stopped metad(metad_of(cluster));
  EXPECT_EQ(look(cluster.inside(2, "d/file")), seen);
  EXPECT_EQ(look(cluster.inside(2, "d/nothing")), "");
  EXPECT_FALSE(exists(cluster.inside(2, "d/nothing"))) << "it says so, and has not waited in vain";
}

TEST_F(KeptAnswers, TheOutsideIsAskedOnceForAllNodes) {
  TempDir root;
  const Reaper reaper(root.path());
  const SlowOutside outside(root.make("external"));
  std::filesystem::create_directories(outside.behind("d/e"));
  write_file(outside.behind("d/e/file"), "content");
  // Names that lead to another server's objects are looked at each time.
  TestCluster cluster(4, {"consistency.attr_ttl=60s"}, root / "external", 1);
  EXPECT_EQ(stat_of(cluster.inside(1, "d/e/file")).st_size, 7);
  EXPECT_FALSE(exists(cluster.inside(1, "d/e/nothing")));
  (void)outside.take_counts();
  for (int node = 2; node <= cluster.nodes(); ++node) {
    EXPECT_EQ(stat_of(cluster.inside(node, "d/e/file")).st_size, 7);
    EXPECT_FALSE(exists(cluster.inside(node, "d/e/nothing")));
  }
  EXPECT_EQ(outside.take_counts(), "");

  // What they change themselves they see.
  ASSERT_EQ(::rename(cluster.inside(3, "d/e/file").c_str(), cluster.inside(3, "d/e/nothing").c_str()), 0);
  for (int node = 1; node <= cluster.nodes(); ++node) {
    EXPECT_FALSE(exists(cluster.inside(node, "d/e/file")));
    EXPECT_EQ(stat_of(cluster.inside(node, "d/e/nothing")).st_size, 7);
  }
}

// An answer may be as old as attr_ttl; but one that turns out to be wrong does not count any more.
TEST_F(KeptAnswers, WhatTheOutsideHasReplacedIsOpenedAllTheSame) {
  TestCluster cluster(3, {"consistency.attr_ttl=60s"});
  write_file(cluster.outside("file"), "old");
  for (int node = 1; node < cluster.nodes(); ++node) EXPECT_EQ(stat_of(cluster.inside(node, "file")).st_size, 3);
  write_file(cluster.outside("new"), "another");
  ASSERT_EQ(::rename(cluster.outside("new").c_str(), cluster.outside("file").c_str()), 0);
  for (int node = 1; node <= cluster.nodes(); ++node) EXPECT_EQ(read_file(cluster.inside(node, "file")), "another");
}

TEST_F(KeptAnswers, OfAFileThatSomebodyWritesAreNotKept) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  write_file(cluster.inside(1, "file"), "content");
  EXPECT_EQ(stat_of(cluster.inside(2, "file")).st_size, 7);
  const OpenFile writer(cluster.inside(1, "file"), O_WRONLY | O_APPEND);
  for (int size = 8; size < 20; ++size) {
    ASSERT_EQ(::write(writer.fd(), "x", 1), 1);
    EXPECT_EQ(stat_of(cluster.inside(2, "file")).st_size, size);
  }
}

// Who opened it first knew its attributes from before, and is not told by his own open.
// The new server knows nothing of the handle: neither while the file is dirty from before, nor when it is written after
// it was clean.
TEST_F(KeptAnswers, OfAFileThatIsWrittenThroughAHandleOfBeforeARestartAreNotKept) {
  TestCluster cluster(3, {"consistency.attr_ttl=8s", "flush.policy=manual"});
  write_file(cluster.inside(1, "file"), "content");  // its chunks are on this node
  const OpenFile writer(cluster.inside(2, "file"), O_WRONLY | O_APPEND);
  ASSERT_EQ(::write(writer.fd(), "x", 1), 1);
  cluster.kill_daemon(1, "metad");
  cluster.start_again();
  // So long that the nodes listen again, and are given answers to keep, well before the middle.
  constexpr std::chrono::seconds kHalf{3};
  off_t size = 8;
  for (const bool clean : {false, true}) {
    if (clean) cluster.run({"flush", cluster.mountpoint(3)});
    for (const auto until = std::chrono::steady_clock::now() + kHalf; std::chrono::steady_clock::now() < until;) {
      ASSERT_EQ(stat_of(cluster.inside(3, "file")).st_size, size) << clean;
      ASSERT_EQ(::write(writer.fd(), "x", 1), 1);
      ASSERT_EQ(stat_of(cluster.inside(3, "file")).st_size, ++size) << clean;
    }
  }
}

TEST_F(KeptAnswers, OfAFileThatSeveralHaveOpenForWritingAreNotKept) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  write_file(cluster.inside(1, "file"), "content");
  EXPECT_EQ(stat_of(cluster.inside(1, "file")).st_size, 7);
  const OpenFile first(cluster.inside(1, "file"), O_RDWR), second(cluster.inside(2, "file"), O_WRONLY | O_APPEND);
  for (int size = 8; size < 20; ++size) {
    ASSERT_EQ(::write(second.fd(), "x", 1), 1);
    EXPECT_EQ(stat_of(cluster.inside(1, "file")).st_size, size);
    EXPECT_EQ(::lseek(first.fd(), 0, SEEK_END), size);
  }
}

TEST_F(KeptAnswers, OfAFileThatAnotherWritesBesideItsMakerAreNotKept) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  const OpenFile maker(cluster.inside(1, "new"), O_RDWR | O_CREAT);
  EXPECT_EQ(stat_of(cluster.inside(1, "new")).st_size, 0);
  const OpenFile other(cluster.inside(2, "new"), O_WRONLY | O_APPEND);
  for (int size = 1; size < 8; ++size) {
    ASSERT_EQ(::write(other.fd(), "x", 1), 1);
    EXPECT_EQ(stat_of(cluster.inside(1, "new")).st_size, size);
  }
  ASSERT_EQ(::truncate(cluster.inside(2, "new").c_str(), 3), 0);
  EXPECT_EQ(stat_of(cluster.inside(1, "new")).st_size, 3);
}

// An open that only reads may empty the file.
TEST_F(KeptAnswers, OfAFileThatAReaderEmptiesAreForgotten) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  write_file(cluster.inside(1, "file"), "content");
  EXPECT_EQ(stat_of(cluster.inside(2, "file")).st_size, 7);
  EXPECT_EQ(stat_of(cluster.inside(2, "file")).st_size, 7);
  const OpenFile reader(cluster.inside(1, "file"), O_RDONLY | O_TRUNC);
  EXPECT_EQ(stat_of(cluster.inside(2, "file")).st_size, 0);
}

TEST_F(KeptAnswers, ANodeThatStandsStillDelaysTheOthersForAMomentOnly) {
  TestCluster cluster(2);
  write_file(cluster.inside(1, "file"), "content");
  EXPECT_NE(look(cluster.inside(2, "file")), "");
  EXPECT_EQ(look(cluster.inside(2, "new")), "");
  const Stopped client(cluster.status(2).at("pid").get<pid_t>());
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(::chmod(cluster.inside(1, "file").c_str(), 0600), 0);
  EXPECT_EQ(::mkdir(cluster.inside(1, "new").c_str(), 0755), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));
}

// A change of a name brings the directory's attributes along, and they wait for the kernel to ask.
TEST_F(KeptAnswers, OfADirectoryThatSeveralChangeAreForgotten) {
  constexpr int kSteps = 300, kNames = 4;
  std::mt19937 random(test_seed());
  const auto below = [&](uint32_t bound) { return static_cast<uint32_t>(random() % bound); };
  const auto facts = [](const std::string& path) {
    const struct stat found = stat_of(path);
    return fmt::format("mode {:o}, {} links, mtime {}.{}, ctime {}.{}", found.st_mode, found.st_nlink,
                       found.st_mtim.tv_sec, found.st_mtim.tv_nsec, found.st_ctim.tv_sec, found.st_ctim.tv_nsec);
  };
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  ASSERT_EQ(::mkdir(cluster.inside(1, "d").c_str(), 0755), 0);
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    const std::string directory = cluster.inside(1 + static_cast<int>(below(2)), "d");
    const auto any_name = [&] { return fmt::format("{}/n{}", directory, below(kNames)); };
    const std::string name = any_name(), other = any_name();
    const uint32_t what = below(9);
    SCOPED_TRACE(testing::Message() << "step " << step << ": kind " << what << " of " << name << ", " << other);
    // Most of these fail now and then, and then nothing changes.
    switch (what) {
      case 0:
        (void)::mknod(name.c_str(), S_IFREG | 0644, 0);
        break;
      case 1:
        (void)::unlink(name.c_str());
        break;
      case 2:
        (void)::mkdir(name.c_str(), 0755);
        break;
      case 3:
        (void)::rmdir(name.c_str());
        break;
      case 4:
        (void)::rename(name.c_str(), other.c_str());
        break;
      case 5:
        (void)::link(name.c_str(), other.c_str());
        break;
      case 6:
        (void)::symlink("nowhere", name.c_str());
        break;
      case 7:
        (void)::chmod(directory.c_str(), 0700 + below(0100));
        break;
      default: {
        const timespec times[2] = {{1, 0}, {below(1'000'000'000), 0}};
        (void)::utimensat(AT_FDCWD, directory.c_str(), times, 0);
      }
    }
    if (below(3) == 0) continue;  // the next change finds what this one left
    const std::string outside = facts(cluster.outside("d"));
    for (const int node : {1, 2}) EXPECT_EQ(facts(cluster.inside(node, "d")), outside) << "node " << node;
  }
}

TEST_F(KeptAnswers, OfADirectoryThatIsMovedAreOfAfterThat) {
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  std::string name = "a", next = "b";
  ASSERT_EQ(::mkdir(cluster.inside(2, name).c_str(), 0755), 0);
  for (int round = 0; round < 20 && !HasFailure(); ++round) {
    ASSERT_EQ(::mknod(cluster.inside(2, fmt::format("{}/file{}", name, round)).c_str(), S_IFREG | 0644, 0), 0);
    ASSERT_EQ(::rename(cluster.inside(2, name).c_str(), cluster.inside(2, next).c_str()), 0);
    std::swap(name, next);
    const timespec seen = stat_of(cluster.inside(2, name)).st_ctim, outside = stat_of(cluster.outside(name)).st_ctim;
    EXPECT_EQ(std::tie(seen.tv_sec, seen.tv_nsec), std::tie(outside.tv_sec, outside.tv_nsec));
  }
}

// Random changes on one node and looks on the other, which must see each of them at once.
TEST_F(KeptAnswers, AreForgottenBeforeAChangeIsAnswered) {
  constexpr int kSteps = 250, kDirectories = 3, kNames = 5;
  std::mt19937 random(test_seed());
  const auto below = [&](uint32_t bound) { return static_cast<uint32_t>(random() % bound); };
  const auto any_name = [&] { return fmt::format("d{}/f{}", below(kDirectories), below(kNames)); };
  const auto facts = [](const std::string& path) -> std::string {
    struct stat found;
    if (::stat(path.c_str(), &found) != 0) return fmt::format("errno {}", errno);
    return fmt::format("{} bytes, mode {:o}, {} links, mtime {}.{}", found.st_size, found.st_mode, found.st_nlink,
                       found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
  };
  TestCluster cluster(2, {"consistency.attr_ttl=8s"});
  for (int i = 0; i < kDirectories; ++i) {
    ASSERT_EQ(::mkdir(cluster.inside(1, "d" + std::to_string(i)).c_str(), 0755), 0);
  }
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    const int writer = 1 + static_cast<int>(below(2)), reader = 3 - writer;
    const std::string name = any_name(), path = cluster.inside(writer, name),
                      other = cluster.inside(writer, any_name());
    const uint32_t what = below(7);
    SCOPED_TRACE(testing::Message() << "step " << step << ": kind " << what << " of " << path << ", " << other);
    // Most of these fail now and then, and then nothing changes.
    switch (what) {
      case 0:
        write_file(path, std::string(below(50), 'z'));
        break;
      case 1:
        (void)::unlink(path.c_str());
        break;
      case 2:
        (void)::chmod(path.c_str(), 0600 + below(0200));
        break;
      case 3:
        (void)::rename(path.c_str(), other.c_str());
        break;
      case 4:
        (void)::link(path.c_str(), other.c_str());
        break;
      case 5:
        (void)::truncate(path.c_str(), below(30));
        break;
      default: {
        const timespec times[2] = {{1, 0}, {below(1'000'000'000), 0}};
        (void)::utimensat(AT_FDCWD, path.c_str(), times, 0);
      }
    }
    for (int i = 0; i < kDirectories; ++i) {
      for (int j = 0; j < kNames; ++j) {
        const std::string each = fmt::format("d{}/f{}", i, j);
        EXPECT_EQ(facts(cluster.inside(reader, each)), facts(cluster.inside(writer, each))) << each;
      }
    }
  }
}

}  // namespace
}  // namespace forebay::test
