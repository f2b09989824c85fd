#include "mgmt/server.h"

#include <gtest/gtest.h>

#include <sstream>

#include "core/log.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace forebay::mgmt {
namespace {

ServerInfo storage_server(const std::string& node, uint64_t capacity = 1000, uint64_t used = 0) {
  ServerInfo server;
  server.node = node;
  server.identity = "server of " + node;
  server.addresses = {node + ":7702"};
  TargetInfo target;
  target.path = "/ssd of " + node;
  target.identity = "target of " + node;
  target.capacity_bytes = capacity;
  target.used_bytes = used;
  server.targets = {target};
  return server;
}

ServerInfo meta_server(const std::string& node) {
  ServerInfo server = storage_server(node);
  server.role = ServerInfo::Role::kMeta;
  server.targets.clear();
  server.identity = "metad of " + node;
  return server;
}

class MgmtServerTest : public testing::Test {
 protected:
  MgmtServerTest() { start(); }
  void start() {
    server_.reset();  // before the next one opens the file
    MgmtServer::Options options;
    options.cluster = "c1";
    options.external = "/gpfs";
    options.metads = 2;
    options.now = [this] { return now_; };
    options.clock = [] { return kClock; };
    server_ = std::make_unique<MgmtServer>(options, Store::open(dir_ / "mgmt.db").value());
    ASSERT_TRUE(server_->load());
  }
  static constexpr std::chrono::sys_seconds kClock{std::chrono::seconds(1'800'000'000)};

  TargetInfo only_target() {
    const std::vector<TargetInfo> targets = server_->targets();
    EXPECT_EQ(targets.size(), 1u);
    return targets.empty() ? TargetInfo{} : targets.front();
  }

  test::TempDir dir_;
  MgmtServer::Clock::time_point now_ = MgmtServer::Clock::now();
  std::unique_ptr<MgmtServer> server_;
};

TEST_F(MgmtServerTest, TargetsGetNumbersThatTheyKeep) {
  const TargetId first = server_->report(storage_server("n1"))->targets.front().id;
  const TargetId second = server_->report(storage_server("n2"))->targets.front().id;
  EXPECT_NE(first, 0u) << "that is the target of a cache in one process";
  EXPECT_NE(first, second);
  EXPECT_EQ(server_->report(storage_server("n1"))->targets.front().id, first);
  start();
  EXPECT_EQ(server_->report(storage_server("n2"))->targets.front().id, second);
  EXPECT_EQ(server_->report(storage_server("n1"))->targets.front().id, first);
  EXPECT_GT(server_->report(storage_server("n3"))->targets.front().id, second) << "never one that was given before";
}

TEST_F(MgmtServerTest, TheFirstMetadataServerOwnsTheRoot) {
  EXPECT_EQ(server_->report(meta_server("n1"))->number, 0u);
  EXPECT_EQ(server_->report(meta_server("n2"))->number, 1u);
  start();
  EXPECT_EQ(server_->report(meta_server("n2"))->number, 1u);
  EXPECT_EQ(server_->cluster()->metads, 2u);
}

TEST_F(MgmtServerTest, ThereAreNoMoreMetadataServersThanTheClusterWasMadeFor) {
  ASSERT_TRUE(server_->report(meta_server("n1")));
  ASSERT_TRUE(server_->report(meta_server("n2")));
  const auto third = server_->report(meta_server("n3"));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ENOSPC);
  EXPECT_EQ(third.error().context,
            "the cluster has its 2 metadata servers (mgmtd.metads); that of n3 would be one more");
  EXPECT_TRUE(server_->report(meta_server("n2"))) << "it is one of them";
}

TEST_F(MgmtServerTest, WhoIsSilentIsOffline) {
  ASSERT_TRUE(server_->report(storage_server("n1")));
  EXPECT_EQ(only_target().reachability, Reachability::kOnline);
  now_ += MgmtServer::kProbablyOffline;
  EXPECT_EQ(only_target().reachability, Reachability::kProbablyOffline);
  now_ += MgmtServer::kOffline;
  EXPECT_EQ(only_target().reachability, Reachability::kOffline);
  ASSERT_TRUE(server_->report(storage_server("n1")));
  EXPECT_EQ(only_target().reachability, Reachability::kOnline);
}

TEST_F(MgmtServerTest, AfterARestartTargetsAreMissedUntilTheyReport) {
  const TargetId id = server_->report(storage_server("n1"))->targets.front().id;
  start();
  EXPECT_EQ(only_target().id, id);
  EXPECT_EQ(only_target().reachability, Reachability::kOffline);
  ASSERT_TRUE(server_->report(storage_server("n1")));
  EXPECT_EQ(only_target().reachability, Reachability::kOnline);
}

// A server is named after its first target: the copy of that is no server that was started again.
TEST_F(MgmtServerTest, ACopyOfAServerOnAnotherNodeIsRefusedWhileTheOtherIsThere) {
  ASSERT_TRUE(server_->report(storage_server("n1")));
  ServerInfo copy = storage_server("n1");
  copy.node = "n2";
  const auto refused = server_->report(copy);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EEXIST);
  EXPECT_TRUE(server_->report(storage_server("n1"))) << "started again";
  now_ += MgmtServer::kProbablyOffline;
  EXPECT_TRUE(server_->report(copy)) << "the disk was moved to another node";
}

TEST_F(MgmtServerTest, ACopyOfATargetIsRefusedWhileTheOtherIsThere) {
  ASSERT_TRUE(server_->report(storage_server("n1")));
  ServerInfo copy = storage_server("n1");
  copy.identity = "another server";
  copy.node = "n2";
  copy.targets.front().path = "/copy";
  const auto refused = server_->report(copy);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EEXIST);
  EXPECT_NE(refused.error().context.find("/copy of n2"), std::string::npos) << refused.error().context;
  EXPECT_NE(refused.error().context.find("n1"), std::string::npos) << refused.error().context;
  now_ += MgmtServer::kProbablyOffline;
  EXPECT_TRUE(server_->report(copy)) << "the disk was moved to another node";
  EXPECT_EQ(only_target().node, "n2");
}

TEST_F(MgmtServerTest, FullTargetsLeaveTheNormalPool) {
  const struct {
    uint64_t capacity, used;
    CapacityPool pool;
  } cases[] = {
      {1000, 0, CapacityPool::kNormal},       {1000, 900, CapacityPool::kNormal},
      {1000, 901, CapacityPool::kLow},        {1000, 980, CapacityPool::kLow},
      {1000, 981, CapacityPool::kEmergency},  {1000, 1000, CapacityPool::kEmergency},
      {1000, 5000, CapacityPool::kEmergency},  // the disk shrank under what is used
      {1000, 100, CapacityPool::kNormal},      // and back
  };
  for (const auto& [capacity, used, pool] : cases) {
    ASSERT_TRUE(server_->report(storage_server("n1", capacity, used)));
    EXPECT_EQ(only_target().pool, pool) << used << " of " << capacity;
    EXPECT_EQ(only_target().used_bytes, used);
    EXPECT_EQ(only_target().capacity_bytes, capacity);
  }
}

TEST_F(MgmtServerTest, ADrainLastsOverHeartbeatsAndRestarts) {
  const TargetId id = server_->report(storage_server("n1"))->targets.front().id;
  EXPECT_EQ(server_->drain(id + 1, true).error().code, ENOENT);
  ASSERT_TRUE(server_->drain(id, true));
  ASSERT_TRUE(server_->report(storage_server("n1")));
  EXPECT_TRUE(only_target().draining);
  start();
  ASSERT_TRUE(server_->report(storage_server("n1")));
  EXPECT_TRUE(only_target().draining);
  ASSERT_TRUE(server_->drain(id, false));
  EXPECT_FALSE(only_target().draining);
}

TEST_F(MgmtServerTest, AClockThatDiffersIsToldOnceAndWhenItIsRightAgain) {
  const std::string file = dir_ / "log";
  ASSERT_TRUE(start_log(file, "info"));
  for (const int ahead : {0, 60, 61, 300, 301, -60, -300, 0}) {
    ServerInfo server = storage_server("n1");
    server.clock = kClock + std::chrono::seconds(ahead);
    ASSERT_TRUE(server_->report(server));
  }
  ASSERT_TRUE(server_->report(storage_server("n2"))) << "an older one does not tell its clock";
  ASSERT_TRUE(start_log("stderr", "warn"));
  std::vector<std::string> said;
  std::istringstream lines(test::read_file(file));
  for (std::string line; std::getline(lines, line);) said.push_back(line.substr(line.find("n1: ")));
  EXPECT_EQ(said, (std::vector<std::string>{
                      "n1: its clock is 61 s ahead of that of this node; times of files will differ as much",
                      "n1: its clock is right again",
                      "n1: its clock is 300 s behind that of this node; times of files will differ as much",
                      "n1: its clock is right again"}));
}

TEST(MgmtServer, InOneProcessATargetKeepsItsNumber) {
  MgmtServer server;
  EXPECT_TRUE(server.targets().empty());
  ASSERT_TRUE(server.report(storage_server("")));
  EXPECT_EQ(server.targets().front().id, 0u);
}

}  // namespace
}  // namespace forebay::mgmt
