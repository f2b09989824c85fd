// Several metadata servers that share a tree. Which directory is whose follows from its external identity: with eight
// of them and three servers any two have another owner somewhere, so tests go through all pairs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

constexpr int kDirectories = 8, kMetads = 3;

std::string directory_name(int number) { return "d" + std::to_string(number); }

class Metads : public MountTest {
 protected:
  explicit Metads(const Settings& settings = {"flush.policy=manual"}) : cluster_(3, settings, {}, kMetads) {
    for (int i = 0; i < kDirectories; ++i) make_directory(1, directory_name(i));
  }
  void make_directory(int node, const std::string& name) {
    ASSERT_EQ(::mkdir(cluster_.inside(node, name).c_str(), 0755), 0) << name << ": " << errno;
  }
  void move(int node, const std::string& from, const std::string& to, unsigned flags = 0) {
    ASSERT_EQ(
        ::renameat2(AT_FDCWD, cluster_.inside(node, from).c_str(), AT_FDCWD, cluster_.inside(node, to).c_str(), flags),
        0)
        << from << " to " << to << ": " << errno;
  }
  // Names outside that a conflict made.
  std::vector<std::string> conflict_files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cluster_.outside(""))) {
      const std::string name = entry.path().filename();
      if (name.find(".forebay-conflict-") != std::string::npos) names.push_back(name);
    }
    return names;
  }
  void expect_flushed() {
    cluster_.run({"flush", cluster_.mountpoint(1)});
    EXPECT_TRUE(trees_are_same()) << "the outside is not what the mounts show";
    EXPECT_EQ(conflict_files(), std::vector<std::string>{});
  }
  bool trees_are_same() {
    return run_process({"diff", "-r", cluster_.mountpoint(2), cluster_.outside("")}).exit_status == 0;
  }

  TestCluster cluster_;
};

// One that is gone is waited for by who works in its directories, and by nobody else.
TEST_F(Metads, EachDirectoryIsOneServers) {
  constexpr std::chrono::seconds kLongEnough{3};
  std::vector<std::unique_ptr<OpenFile>> directories;
  for (int i = 0; i < kDirectories; ++i) {
    write_file(cluster_.inside(1, directory_name(i) + "/file"), "commits what its server knows by now");
    directories.push_back(std::make_unique<OpenFile>(cluster_.inside(3, directory_name(i)), O_PATH | O_DIRECTORY));
  }
  int waited_for = 0;
  for (int node = 1; node <= kMetads; ++node) {
    cluster_.kill_daemon(node, "metad");
    std::vector<std::future<int>> looks;
    for (const auto& directory : directories) {
      looks.push_back(std::async(std::launch::async, [&directory, node] {
        struct stat status;
        const std::string name = "none" + std::to_string(node);
        return ::fstatat(directory->fd(), name.c_str(), &status, 0) == 0 ? 0 : errno;
      }));
    }
    const auto until = std::chrono::steady_clock::now() + kLongEnough;
    for (const auto& look : looks) waited_for += look.wait_until(until) == std::future_status::ready ? 0 : 1;
    cluster_.start_again();
    for (auto& look : looks) EXPECT_EQ(look.get(), ENOENT);
  }
  EXPECT_EQ(waited_for, kDirectories);
}

// The file's server is not told when a directory far above it moves; and those where that was are removed afterwards,
// one of them its own, so that what it knows leads nowhere at all. That is one way of about seven to share four
// directories.
TEST_F(Metads, AFileIsFlushedWhoseDirectoriesHaveMovedAndLeftNothingBehind) {
  constexpr int kTowers = 32;
  for (int i = 0; i < kTowers; ++i) {
    const std::string number = std::to_string(i), top = "top" + number, moved = "moved" + number;
    std::filesystem::create_directories(cluster_.inside(1, top + "/below/" + moved + "/of_file"));
    write_file(cluster_.inside(1, top + "/below/" + moved + "/of_file/file"), noise(10'000, i));
    move(1, top + "/below/" + moved, moved);
    std::filesystem::remove_all(cluster_.inside(1, top));
    ASSERT_FALSE(exists(cluster_.inside(1, top)));
  }
  expect_flushed();
}

TEST_F(Metads, FilesThatMoveBetweenThemStayInTheCacheDirtyOrClean) {
  for (int i = 0; i < kDirectories; ++i) {
    const std::string name = directory_name(i) + "/clean" + std::to_string(i);
    write_file(cluster_.outside(name), noise(100'000, i));
    ASSERT_EQ(read_file(cluster_.inside(2, name)).size(), 100'000u);
    write_file(cluster_.inside(2, directory_name(i) + "/dirty" + std::to_string(i)), noise(50'000, 100 + i));
  }
  const uint64_t fetched = cluster_.status(1).at("fetched_bytes");
  for (int from = 0; from < kDirectories; ++from) {
    for (int to = 0; to < kDirectories; ++to) {
      if (from == to) continue;
      for (const char* kind : {"/clean", "/dirty"}) {
        const std::string file = kind + std::to_string(from);
        move(1 + (from + to) % 3, directory_name(from) + file, directory_name(to) + file);
        move(1 + to % 3, directory_name(to) + file, directory_name(from) + file);
      }
    }
    const std::string next = directory_name((from + 1) % kDirectories);
    move(1, directory_name(from) + "/clean" + std::to_string(from), next + "/c" + std::to_string(from));
    move(2, directory_name(from) + "/dirty" + std::to_string(from), next + "/d" + std::to_string(from));
  }
  for (int i = 0; i < kDirectories; ++i) {
    const std::string next = directory_name((i + 1) % kDirectories), number = std::to_string(i);
    EXPECT_EQ(content_difference(noise(100'000, i), read_file(cluster_.inside(3, next + "/c" + number))), "") << i;
    EXPECT_EQ(content_difference(noise(50'000, 100 + i), read_file(cluster_.inside(3, next + "/d" + number))), "") << i;
    EXPECT_TRUE(cluster_.stat(3, next + "/d" + number).at("dirty").get<bool>()) << i;
  }
  EXPECT_EQ(cluster_.status(1).at("fetched_bytes").get<uint64_t>(), fetched) << "a file was fetched once more";
  expect_flushed();
}

TEST_F(Metads, ARenameReplacesAndExchangesWhateverIsWhose) {
  for (int from = 0; from < kDirectories; ++from) {
    for (int to = 0; to < kDirectories; ++to) {
      if (from == to) continue;
      const std::string a = directory_name(from) + "/a", b = directory_name(to) + "/b";
      write_file(cluster_.inside(1, a), "one");
      write_file(cluster_.inside(2, b), "two");
      move(3, a, b, RENAME_EXCHANGE);
      EXPECT_EQ(read_file(cluster_.inside(1, a)), "two");
      EXPECT_EQ(read_file(cluster_.inside(2, b)), "one");
      EXPECT_EQ(::renameat2(AT_FDCWD, cluster_.inside(1, a).c_str(), AT_FDCWD, cluster_.inside(1, b).c_str(),
                            RENAME_NOREPLACE),
                -1);
      EXPECT_EQ(errno, EEXIST);
      const OpenFile replaced(cluster_.inside(3, b), O_RDWR);
      move(2, a, b);
      EXPECT_EQ(read_file(cluster_.inside(1, b)), "two");
      EXPECT_EQ(replaced.read_at(0, 10), "one") << "who has it open keeps it";
      EXPECT_EQ(::access(cluster_.inside(3, a).c_str(), F_OK), -1);
      ASSERT_EQ(::unlink(cluster_.inside(1, b).c_str()), 0) << errno;
      EXPECT_EQ(::access(cluster_.inside(2, b).c_str(), F_OK), -1);
    }
  }
  expect_flushed();
}

TEST_F(Metads, HardLinksBetweenThemAreOneFile) {
  for (int from = 0; from < kDirectories; ++from) {
    const std::string file = directory_name(from) + "/file";
    write_file(cluster_.inside(1, file), "begin");
    for (int to = 0; to < kDirectories; ++to) {
      const std::string other = directory_name(to) + "/link" + std::to_string(from);
      ASSERT_EQ(::link(cluster_.inside(1, file).c_str(), cluster_.inside(1, other).c_str()), 0) << errno;
    }
    EXPECT_EQ(stat_of(cluster_.inside(2, file)).st_nlink, 1u + kDirectories);
    ASSERT_EQ(::unlink(cluster_.inside(3, file).c_str()), 0);
    std::string expected = "begin";
    for (int to = 0; to < kDirectories; ++to) {
      const std::string other = directory_name(to) + "/link" + std::to_string(from);
      OpenFile(cluster_.inside(1 + to % 3, other), O_WRONLY | O_APPEND).write_at(0, std::to_string(to));
      expected += std::to_string(to);
    }
    for (int to = 0; to < kDirectories; ++to) {
      const std::string other = directory_name(to) + "/link" + std::to_string(from);
      EXPECT_EQ(read_file(cluster_.inside(1 + (to + 1) % 3, other)), expected);
      if (to == 0) continue;
      ASSERT_EQ(::unlink(cluster_.inside(2, other).c_str()), 0);
    }
    EXPECT_EQ(read_file(cluster_.inside(3, directory_name(0) + "/link" + std::to_string(from))), expected);
  }
  expect_flushed();
}

TEST_F(Metads, LinksThatWereMadeOutsideAreOneFile) {
  for (int i = 0; i < kDirectories; ++i) {
    const std::string number = std::to_string(i);
    write_file(cluster_.outside(directory_name(0) + "/f" + number), "begin");
    ASSERT_EQ(::link(cluster_.outside(directory_name(0) + "/f" + number).c_str(),
                     cluster_.outside(directory_name(i) + "/g" + number).c_str()),
              0);
    OpenFile(cluster_.inside(1, directory_name(i) + "/g" + number), O_WRONLY | O_APPEND).write_at(0, " end");
    EXPECT_EQ(read_file(cluster_.inside(2, directory_name(0) + "/f" + number)), "begin end")
        << "two copies of one file";
    ASSERT_EQ(::unlink(cluster_.inside(3, directory_name(i) + "/g" + number).c_str()), 0);
    EXPECT_EQ(read_file(cluster_.inside(1, directory_name(0) + "/f" + number)), "begin end");
  }
  expect_flushed();
}

TEST_F(Metads, AFileWithoutANameGetsOneInAnyDirectory) {
  for (int to = 0; to < kDirectories; ++to) {
    const OpenFile file(cluster_.inside(1, directory_name(0)), O_TMPFILE | O_RDWR, 0644);
    file.write_at(0, "made");
    const std::string name = directory_name(to) + "/named";
    ASSERT_EQ(::linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(file.fd())).c_str(), AT_FDCWD,
                       cluster_.inside(1, name).c_str(), AT_SYMLINK_FOLLOW),
              0)
        << errno;
    EXPECT_EQ(read_file(cluster_.inside(2, name)), "made");
  }
  expect_flushed();
}

// Whoever has a file below finds it though the directory above is another server's.
TEST_F(Metads, WhatIsBelowAMovedDirectoryIsFoundAndFlushed) {
  for (int i = 0; i < kDirectories; ++i) {
    make_directory(1, directory_name(i) + "/a");
    make_directory(1, directory_name(i) + "/a/b");
    make_directory(2, directory_name(i) + "/a/b/c");
    write_file(cluster_.inside(1, directory_name(i) + "/a/b/c/file"), "content " + std::to_string(i));
  }
  for (int i = 0; i < kDirectories; ++i) move(3, directory_name(i) + "/a", "moved" + std::to_string(i));
  for (int i = 0; i < kDirectories; ++i) {
    const std::string number = std::to_string(i), next = std::to_string((i + 1) % kDirectories);
    move(2, "moved" + number + "/b/c", "d" + next + "/c" + number);
    EXPECT_EQ(read_file(cluster_.inside(1, "d" + next + "/c" + number + "/file")), "content " + number);
  }
  // A flush of one directory brings out all that is below, whoever has it.
  cluster_.run({"flush", cluster_.inside(1, "d1")});
  EXPECT_EQ(read_file(cluster_.outside("d1/c0/file")), "content 0");
  EXPECT_EQ(cluster_.status(2).at("dirty_files"), kDirectories - 1);
  for (int node = 1; node <= kMetads; ++node) cluster_.kill_daemon(node, "metad");
  cluster_.start_again();
  for (int i = 0; i < kDirectories; ++i) {
    const std::string number = std::to_string(i), next = std::to_string((i + 1) % kDirectories);
    EXPECT_EQ(read_file(cluster_.inside(3, "d" + next + "/c" + number + "/file")), "content " + number);
  }
  expect_flushed();
}

TEST_F(Metads, ADirectoryIsRemovedAndItsNameIsFree) {
  for (int i = 0; i < kDirectories; ++i) {
    const std::string name = directory_name(i) + "/sub";
    make_directory(1, name);
    write_file(cluster_.inside(2, name + "/file"), "content");
    EXPECT_EQ(::rmdir(cluster_.inside(3, name).c_str()), -1);
    EXPECT_EQ(errno, ENOTEMPTY);
    EXPECT_EQ(::unlink(cluster_.inside(3, name).c_str()), -1);
    EXPECT_EQ(errno, EISDIR);
    EXPECT_EQ(::rmdir(cluster_.inside(3, name + "/file").c_str()), -1);
    EXPECT_EQ(errno, ENOTDIR);
    ASSERT_EQ(::unlink(cluster_.inside(3, name + "/file").c_str()), 0);
    ASSERT_EQ(::rmdir(cluster_.inside(2, name).c_str()), 0) << errno;
    EXPECT_EQ(::access(cluster_.inside(1, name).c_str(), F_OK), -1);
    write_file(cluster_.inside(1, name), "a file now");
    EXPECT_EQ(read_file(cluster_.inside(2, name)), "a file now");
  }
  expect_flushed();
}

TEST_F(Metads, LocksAndLayoutsAreThoseOfTheirServer) {
  for (int i = 0; i < kDirectories; ++i) {
    const std::string name = directory_name(i) + "/file";
    write_file(cluster_.inside(1, name), "content");
    const OpenFile here(cluster_.inside(1, name), O_RDWR), there(cluster_.inside(2, name), O_RDWR);
    ASSERT_EQ(::flock(here.fd(), LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(::flock(there.fd(), LOCK_EX | LOCK_NB), -1);
    EXPECT_EQ(errno, EWOULDBLOCK);
  }
  make_directory(1, "d0/rule");
  cluster_.run({"layout", "set", cluster_.inside(1, "d0"), "--count", "2", "--chunk-size", "64KiB"});
  for (int i = 0; i < kDirectories; ++i) {
    const std::string name = "d0/rule/sub" + std::to_string(i);
    make_directory(2, name);
    write_file(cluster_.inside(3, name + "/file"), noise(300'000));
    EXPECT_EQ(cluster_.stat(1, name + "/file").at("layout").at("targets").size(), 2u) << name;
  }
}

TEST_F(Metads, HowManyThereAreStaysAsItWas) {
  cluster_.stop();
  for (const int metads : {1, 2}) {
    const ProcessResult started = cluster_.try_start(metads);
    EXPECT_EQ(started.exit_status, 1);
    EXPECT_EQ(started.err, "forebay: n1: mgmtd.metads: is " + std::to_string(metads) +
                               ", but this cluster was made with 3 (--metad 3); use another mgmtd.data\n");
  }
  EXPECT_TRUE(cluster_.try_start(kMetads).ok());
}

class MetadsTransient : public Metads {
 protected:
  MetadsTransient() : Metads({"flush.policy=manual", "links.transient=scratch"}) {}
};

TEST_F(MetadsTransient, WhatIsTransientIsOneServersAndForAll) {
  make_directory(2, "scratch/sub");
  write_file(cluster_.inside(1, "scratch/sub/file"), "content");
  EXPECT_EQ(read_file(cluster_.inside(3, "scratch/sub/file")), "content");
  for (int i = 0; i < kDirectories; ++i) {
    const std::string inside = directory_name(i) + "/file";
    write_file(cluster_.inside(1, inside), "other");
    EXPECT_EQ(::rename(cluster_.inside(1, inside).c_str(), cluster_.inside(1, "scratch/sub/x").c_str()), -1);
    EXPECT_EQ(errno, EXDEV);
    EXPECT_EQ(::link(cluster_.inside(1, "scratch/sub/file").c_str(), cluster_.inside(1, inside + "2").c_str()), -1);
    EXPECT_EQ(errno, EXDEV);
  }
  EXPECT_EQ(::rmdir(cluster_.inside(2, "scratch").c_str()), -1);
  EXPECT_EQ(errno, EBUSY);
}

// Renames between all servers while these are killed again and again: each file has one name, an acknowledged rename
// counts, and no byte and no name is lost or kept twice.
TEST_F(Metads, RenamesSurviveTheDeathOfTheirServers) {
  constexpr int kFiles = 24, kDeaths = 6;
  const uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  // Where each may be: one place, or two after a rename of which nobody said whether it happened.
  std::vector<std::set<int>> places(kFiles);
  const auto path = [&](int node, int file, int place) {
    return cluster_.inside(node, directory_name(place) + "/f" + std::to_string(file));
  };
  for (int file = 0; file < kFiles; ++file) {
    places[file] = {file % kDirectories};
    write_file(path(1, file, file % kDirectories), "content " + std::to_string(file));
  }
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> renames{0}, unsure{0};
  std::thread mover([&] {
    std::mt19937_64 choice(seed + 1);
    while (!stopping) {
      const int file = static_cast<int>(choice() % kFiles), to = static_cast<int>(choice() % kDirectories);
      const int node = static_cast<int>(1 + choice() % 3);
      if (places[file].size() != 1 || places[file].contains(to)) continue;
      const int from = *places[file].begin();
      places[file].insert(to);
      const bool done = ::rename(path(node, file, from).c_str(), path(node, file, to).c_str()) == 0;
      if (done) places[file].erase(from);
      ++(done ? renames : unsure);
    }
  });
  for (int death = 0; death < kDeaths; ++death) {
    const uint64_t until = renames + 20 + random() % 100;
    while (renames < until) std::this_thread::yield();
    cluster_.kill_daemon(static_cast<int>(1 + random() % kMetads), "metad");
    cluster_.start_again();
  }
  stopping = true;
  mover.join();
  std::cout << renames << " renames, " << unsure << " of which nobody knew\n";
  for (int file = 0; file < kFiles; ++file) {
    int found = 0;
    for (int place = 0; place < kDirectories; ++place) {
      struct stat status;
      if (::stat(path(2, file, place).c_str(), &status) != 0) continue;
      ++found;
      EXPECT_TRUE(places[file].contains(place)) << "file " << file << " in " << place;
      EXPECT_EQ(read_file(path(3, file, place)), "content " + std::to_string(file));
    }
    EXPECT_EQ(found, 1) << "file " << file;
  }
  expect_flushed();
}

}  // namespace
}  // namespace forebay::test
