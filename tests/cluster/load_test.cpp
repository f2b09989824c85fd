// The processes that scripts/bench --cluster measures with, on the mounts of a cluster: whoever reads what another node
// wrote finds it right, wherever it lies in the file.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/binaries.h"
#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

using testing::HasSubstr;

constexpr int kProcesses = 3;
constexpr char kSmall[] = "--transfer 65536 --block 1048576";

class ClusterLoad : public MountTest {
 protected:
  // One process, which does one phase.
  static ProcessResult work(const std::string& directory, int rank, const std::string& kind, const std::string& options,
                            const std::string& phase) {
    return run_process({"sh", "-c",
                        fmt::format("echo '{}' | '{}' {} --dir '{}' --rank {} --ranks {} {}", phase,
                                    FOREBAY_LOAD_BINARY, kind, directory, rank, kProcesses, options)});
  }

  // One on each node, at the same time.
  static void all_work(const TestCluster& cluster, const std::string& kind, const std::string& options,
                       const std::string& phase) {
    std::vector<ProcessResult> results(kProcesses);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < kProcesses; ++rank) {
      threads.emplace_back(
          [&, rank] { results[rank] = work(cluster.mountpoint(rank + 1), rank, kind, options, phase); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const ProcessResult& result : results) EXPECT_TRUE(result.ok()) << phase << ": " << describe(result);
  }
};

TEST_F(ClusterLoad, WhatEachNodeWritesTheNextOneReads) {
  TestCluster cluster(kProcesses);
  for (const char* layout : {"own", "segmented", "strided"}) {
    const std::string options = fmt::format("--layout {} {}", layout, kSmall);
    for (const char* phase : {"write", "check", "check 1", "sync", "check 2", "remove"}) {
      all_work(cluster, "data", options, phase);
      ASSERT_FALSE(HasFailure()) << layout;
    }
  }
}

TEST_F(ClusterLoad, NamesThatOneNodeMakesTheNextOneKnows) {
  TestCluster cluster(kProcesses);
  for (const char* options : {"--items 50", "--items 50 --shared", "--items 50 --shared --directories"}) {
    for (const char* phase : {"prepare", "create", "stat 1", "remove", "clear"}) {
      all_work(cluster, "names", options, phase);
      ASSERT_FALSE(HasFailure()) << options;
    }
  }
}

TEST_F(ClusterLoad, DataThatIsNotRightIsNoticed) {
  const TempDir directory;
  ASSERT_TRUE(work(directory.path(), 0, "data", kSmall, "write").ok());
  ASSERT_TRUE(work(directory.path(), 0, "data", kSmall, "check").ok());
  const OpenFile file(directory / "own.0", O_RDWR);
  file.write_at(100'000, "x");
  const ProcessResult checked = work(directory.path(), 0, "data", kSmall, "check");
  EXPECT_EQ(checked.exit_status, 1);
  EXPECT_THAT(checked.err, HasSubstr("/own.0: wrong data at 65536 to 131072, of process 0"));
  EXPECT_TRUE(work(directory.path(), 0, "data", kSmall, "read").ok()) << "only the first word of a page is looked at";
  file.write_at(4096, "x");
  EXPECT_EQ(work(directory.path(), 0, "data", kSmall, "read").exit_status, 1);
}

}  // namespace
}  // namespace forebay::test
