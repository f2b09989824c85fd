#include "mgmt/server.h"

#include <gtest/gtest.h>

namespace forebay::mgmt {
namespace {

TargetInfo target(uint32_t id, const std::string& path) {
  TargetInfo info;
  info.id = id;
  info.path = path;
  return info;
}

TEST(MgmtServer, KnowsTheTargetsThatWereRegistered) {
  MgmtServer server;
  EXPECT_TRUE(server.targets().empty());
  ASSERT_TRUE(server.register_target(target(7, "/ssd1")));
  ASSERT_TRUE(server.register_target(target(3, "/ssd0")));
  const std::vector<TargetInfo> targets = server.targets();
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].id, 3u);
  EXPECT_EQ(targets[0].path, "/ssd0");
  EXPECT_EQ(targets[1].path, "/ssd1");
}

TEST(MgmtServer, AnIdIsGivenOnce) {
  MgmtServer server;
  ASSERT_TRUE(server.register_target(target(1, "/a")));
  const Status again = server.register_target(target(1, "/b"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, EEXIST);
  EXPECT_NE(again.error().context.find('1'), std::string::npos);
  EXPECT_EQ(server.targets().front().path, "/a") << "the first one stays";
}

TEST(MgmtServer, AReportOfAnUnknownTargetIsRefused) {
  MgmtServer server;
  EXPECT_EQ(server.report_capacity(5, 100, 0).error().code, ENOENT);
}

TEST(MgmtServer, FullTargetsLeaveTheNormalPool) {
  MgmtServer server;
  ASSERT_TRUE(server.register_target(target(1, "/a")));
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
    ASSERT_TRUE(server.report_capacity(1, capacity, used));
    EXPECT_EQ(server.targets().front().pool, pool) << used << " of " << capacity;
    EXPECT_EQ(server.targets().front().used_bytes, used);
    EXPECT_EQ(server.targets().front().capacity_bytes, capacity);
  }
}

}  // namespace
}  // namespace forebay::mgmt
