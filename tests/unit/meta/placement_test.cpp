#include "meta/placement.h"

#include <gtest/gtest.h>

#include <set>

namespace forebay::meta {
namespace {

TargetInfo target_of(const std::string& node, TargetId id) {
  TargetInfo target;
  target.id = id;
  target.node = node;
  return target;
}

class PlacementTest : public testing::Test {
 protected:
  PlacementTest() {
    for (TargetId id = 1; id <= 4; ++id) targets_.push_back(target_of("n" + std::to_string(id), id));
  }
  TargetInfo& target(TargetId id) { return targets_.at(id - 1); }
  std::vector<TargetId> place(const std::string& node, LayoutRule rule = {}, uint64_t size = 0) {
    const auto layout = placement_.place(node, rule, size);
    return layout ? (*layout)->targets : std::vector<TargetId>{};
  }
  // Where a number of files go.
  std::set<TargetId> used_by(const std::string& node) {
    std::set<TargetId> used;
    for (int i = 0; i < 20; ++i) {
      for (const TargetId id : place(node)) used.insert(id);
    }
    return used;
  }

  std::vector<TargetInfo> targets_;
  Placement placement_{Config{}, [this] { return std::make_shared<const std::vector<TargetInfo>>(targets_); }};
};

TEST_F(PlacementTest, AFileLiesOnTheNodeThatTouchesIt) {
  EXPECT_EQ(used_by("n3"), std::set<TargetId>{3});
  EXPECT_EQ(used_by("elsewhere"), (std::set<TargetId>{1, 2, 3, 4}));
}

TEST_F(PlacementTest, TargetsThatAreFullOrDrainedGetNoNewFiles) {
  target(1).pool = CapacityPool::kLow;
  target(2).pool = CapacityPool::kEmergency;
  target(3).draining = true;
  for (const char* node : {"n1", "n2", "n3", "elsewhere"}) EXPECT_EQ(used_by(node), std::set<TargetId>{4}) << node;
  target(4).consistency = Consistency::kBad;
  EXPECT_EQ(used_by("n2"), std::set<TargetId>{1});
  target(1).draining = true;
  EXPECT_EQ(used_by("n1"), std::set<TargetId>{2}) << "almost full is better than none";
}

TEST_F(PlacementTest, AStripedFileLiesOnAllThatThereAre) {
  const std::vector<TargetId> all = place("n2", {.count = 8});
  EXPECT_EQ(std::set<TargetId>(all.begin(), all.end()), (std::set<TargetId>{1, 2, 3, 4}));
  EXPECT_EQ(all.front(), 2u) << "its own node's first";
  target(1).reachability = Reachability::kProbablyOffline;
  target(4).reachability = Reachability::kOffline;
  const std::vector<TargetId> rest = place("n2", {.count = 8});
  EXPECT_EQ(std::set<TargetId>(rest.begin(), rest.end()), (std::set<TargetId>{2, 3}));
}

TEST_F(PlacementTest, WhileNoneIsOnlineThoseThatMayComeBackAreTaken) {
  for (TargetId id = 1; id <= 4; ++id) target(id).reachability = Reachability::kOffline;
  EXPECT_EQ(placement_.place("n1", {}, 0).error().code, ENXIO);
  target(3).reachability = Reachability::kProbablyOffline;
  EXPECT_EQ(used_by("n1"), std::set<TargetId>{3});
  target(2).reachability = Reachability::kOnline;
  EXPECT_EQ(used_by("n3"), std::set<TargetId>{2});
}

TEST_F(PlacementTest, TheRunOfATargetIsToldToItsOwnNode) {
  target(2).run = 77;
  EXPECT_EQ(placement_.run_on("n2", {1 << 20, {2}}), 77u);
  EXPECT_EQ(placement_.run_on("n1", {1 << 20, {2}}), 0u);
  EXPECT_EQ(placement_.run_on("n2", {1 << 20, {2, 1}}), 0u);
  EXPECT_EQ(placement_.run_on("n2", {1 << 20, {9}}), 0u);
}

}  // namespace
}  // namespace forebay::meta
