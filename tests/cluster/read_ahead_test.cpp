// What a node has read of a file of another node before its program asked for it.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <future>

#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

constexpr size_t kMiB = 1 << 20;
constexpr size_t kMost = 12;  // MiB of a file here

class ReadAheadTest : public MountTest {
 protected:
  static void write_at(const std::string& path, size_t mib, size_t count, char content) {
    const OpenFile file(path, O_WRONLY | O_CREAT);
    const std::string data(count * kMiB, content);
    ASSERT_EQ(::pwrite(file.fd(), data.data(), data.size(), static_cast<off_t>(mib * kMiB)),
              static_cast<ssize_t>(data.size()));
  }
  // The next MiB: the letter of which all its bytes are, '-' at the end, '?' for a mixture.
  static char next(const OpenFile& file) {
    static thread_local std::string data(kMiB, '\0');
    const ssize_t bytes = ::read(file.fd(), data.data(), data.size());
    if (bytes == 0) return '-';
    const auto end = data.begin() + std::max<ssize_t>(bytes, 0);
    return bytes > 0 && std::all_of(data.begin(), end, [](char c) { return c == data[0]; }) ? data[0] : '?';
  }
  // Node 2 reads some of a file of node 1, so that more is on its way; then `change` is done; then it reads the rest.
  void expect_rest_after(const std::function<void(const std::string& name)>& change, const std::string& rest,
                         TestCluster& cluster) {
    constexpr size_t kBefore = 4;
    constexpr int kRounds = 15;
    for (int round = 0; round < kRounds && !HasFailure(); ++round) {
      const std::string name = "file" + std::to_string(files_++);
      write_at(cluster.inside(1, name), 0, kMost, 'a');
      const OpenFile reader(cluster.inside(2, name), O_RDONLY);
      std::string seen;
      for (size_t i = 0; i < kBefore; ++i) seen += next(reader);
      EXPECT_EQ(seen, "aaaa");
      change(name);
      seen.clear();
      do {
        seen += next(reader);
      } while (seen.back() != '-' && seen.size() < kMost);  // or what never ends
      EXPECT_EQ(seen, rest) << name;
    }
  }

  int files_ = 0;
};

TEST_F(ReadAheadTest, WhatComesNextIsThereBeforeItIsAskedFor) {
  TestCluster cluster(2);
  write_at(cluster.inside(1, "file"), 0, kMost, 'a');
  const pid_t storaged = std::stoi(read_file(cluster.data(1) + "/storaged.pid"));
  constexpr int kRounds = 20;
  int there = 0;
  for (int round = 0; round < kRounds; ++round) {
    const OpenFile reader(cluster.inside(2, "file"), O_RDONLY);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(next(reader), 'a');
    ASSERT_EQ(::kill(storaged, SIGSTOP), 0);
    auto more = std::async(std::launch::async, [&] { return next(reader); });
    if (more.wait_for(std::chrono::milliseconds(200)) == std::future_status::ready) ++there;
    ASSERT_EQ(::kill(storaged, SIGCONT), 0);
    EXPECT_EQ(more.get(), 'a');
  }
  EXPECT_GT(there, 0) << "nothing was read while the server of the file stood still";
}

TEST_F(ReadAheadTest, WhatAnotherNodeWritesIsRead) {
  TestCluster cluster(3);
  const auto by = [&](int node) {
    return [&cluster, node](const std::string& name) { write_at(cluster.inside(node, name), 4, 8, 'b'); };
  };
  expect_rest_after(by(1), "bbbbbbbb-", cluster);
  expect_rest_after(by(3), "bbbbbbbb-", cluster);
  expect_rest_after(by(2), "bbbbbbbb-", cluster);  // the reader's own
}

TEST_F(ReadAheadTest, WhatIsCutOffIsNotRead) {
  TestCluster cluster(2);
  const auto cut = [&](int node) {
    return [&cluster, node](const std::string& name) {
      EXPECT_EQ(::truncate(cluster.inside(node, name).c_str(), 6 * kMiB), 0);
    };
  };
  expect_rest_after(cut(1), "aa-", cluster);
  expect_rest_after(cut(2), "aa-", cluster);
  const auto empty = [&](int node) {
    return [&cluster, node](const std::string& name) { OpenFile(cluster.inside(node, name), O_RDONLY | O_TRUNC); };
  };
  expect_rest_after(empty(1), "-", cluster);
  expect_rest_after(empty(2), "-", cluster);
}

TEST_F(ReadAheadTest, WhatIsAppendedIsRead) {
  TestCluster cluster(2);
  const auto append = [&](const std::string& name) { write_at(cluster.inside(1, name), kMost, 2, 'b'); };
  expect_rest_after(append, "aaaaaaaabb-", cluster);
}

TEST_F(ReadAheadTest, WhoHasItOpenAllTheTimeWritesWhatIsRead) {
  TestCluster cluster(2);
  write_at(cluster.inside(1, "file"), 0, kMost, 'a');
  const OpenFile writer(cluster.inside(1, "file"), O_WRONLY), reader(cluster.inside(2, "file"), O_RDONLY);
  std::string data(kMiB, 'a');
  for (size_t i = 0; i < kMost; ++i) {
    std::ranges::fill(data, static_cast<char>('b' + i));
    for (size_t at = i; at < kMost; ++at) {
      ASSERT_EQ(::pwrite(writer.fd(), data.data(), kMiB, static_cast<off_t>(at * kMiB)), static_cast<ssize_t>(kMiB));
    }
    EXPECT_EQ(next(reader), 'b' + static_cast<int>(i));
  }
}

// The new one knows of nobody who reads.
TEST_F(ReadAheadTest, WhatIsWrittenAfterAKillOfTheMetadataServerIsRead) {
  TestCluster cluster(3);
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = "file" + std::to_string(round);
    write_at(cluster.inside(1, name), 0, kMost, 'a');
    const OpenFile reader(cluster.inside(2, name), O_RDONLY);
    std::string seen;
    for (int i = 0; i < 4; ++i) seen += next(reader);
    cluster.kill_daemon(1, "metad");
    cluster.start_again();
    write_at(cluster.inside(3, name), 4, 8, 'b');
    for (int i = 0; i < 8; ++i) seen += next(reader);
    EXPECT_EQ(seen, "aaaabbbbbbbb");
  }
}

}  // namespace
}  // namespace forebay::test
