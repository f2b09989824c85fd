#include "consistency/conflict.h"

#include <gtest/gtest.h>

#include <set>

namespace forebay::consistency {
namespace {

using namespace std::chrono_literals;

constexpr auto kThen = std::chrono::system_clock::time_point(1'000'000'000'123ms);  // 2001-09-09 01:46:40.123 UTC

TEST(Settle, EachRuleHasItsAnswer) {
  EXPECT_EQ(settle(ConflictRule::kKeepBoth), Settlement::kKeepBothThenRevert);
  EXPECT_EQ(settle(ConflictRule::kCacheWins), Settlement::kOverwrite);
  EXPECT_EQ(settle(ConflictRule::kExternalWins), Settlement::kRevert);
}

TEST(ConflictName, SaysWhichFileAndWhen) {
  EXPECT_EQ(conflict_name("data.csv", kThen, 0), "data.csv.forebay-conflict-20010909T014640.123Z");
}

TEST(ConflictName, AttemptsHaveDifferentNames) {
  EXPECT_EQ(conflict_name("a", kThen, 12), "a.forebay-conflict-20010909T014640.123Z-12");
  std::set<std::string> names;
  for (int attempt = 0; attempt < 1000; ++attempt) names.insert(conflict_name(std::string(255, 'n'), kThen, attempt));
  EXPECT_EQ(names.size(), 1000u);
}

TEST(ConflictName, MomentsHaveDifferentNames) {
  EXPECT_NE(conflict_name("a", kThen, 0), conflict_name("a", kThen + 1ms, 0));
  EXPECT_NE(conflict_name("a", kThen, 0), conflict_name("a", kThen + 1s, 0));
}

TEST(ConflictName, StaysAValidName) {
  for (const size_t length : {1u, 200u, 217u, 218u, 219u, 254u, 255u}) {
    for (const int attempt : {0, 9, 999}) {
      const std::string name = conflict_name(std::string(length, '\xff'), kThen, attempt);
      EXPECT_LE(name.size(), 255u);
      EXPECT_NE(name.find(".forebay-conflict-"), std::string::npos);
      EXPECT_EQ(name.find('/'), std::string::npos);
    }
  }
  EXPECT_EQ(conflict_name(std::string(255, 'n'), kThen, 0).size(), 255u) << "as much of the name as fits";
}

}  // namespace
}  // namespace forebay::consistency
