#include "consistency/freshness.h"

#include <gtest/gtest.h>

namespace forebay::consistency {
namespace {

using namespace std::chrono_literals;

FreshnessPolicy policy(Validate validate, std::chrono::milliseconds ttl = 1000ms) {
  Config::Consistency config;
  config.validate = validate;
  config.attr_ttl = ttl;
  return FreshnessPolicy(config);
}

const SteadyTime kSeen = SteadyTime{} + 1h;

TEST(Freshness, WhatWasNeverSeenIsAlwaysDue) {
  for (const Validate validate : {Validate::kAlways, Validate::kTtl, Validate::kNever}) {
    EXPECT_TRUE(policy(validate).due(SteadyTime{}, kSeen));
  }
}

TEST(Freshness, AlwaysAsksEachTimeAndLendsNothing) {
  const FreshnessPolicy always = policy(Validate::kAlways);
  EXPECT_TRUE(always.due(kSeen, kSeen));
  EXPECT_EQ(always.valid_for(kSeen, kSeen), 0ms);
}

TEST(Freshness, NeverAsksOnceAndLendsForLong) {
  const FreshnessPolicy never = policy(Validate::kNever);
  EXPECT_FALSE(never.due(kSeen, kSeen + 1000h));
  EXPECT_GE(never.valid_for(kSeen, kSeen + 1000h), 1h);
}

TEST(Freshness, TtlAsksAtMostOncePerTtl) {
  const FreshnessPolicy ttl = policy(Validate::kTtl);
  EXPECT_FALSE(ttl.due(kSeen, kSeen));
  EXPECT_FALSE(ttl.due(kSeen, kSeen + 999ms));
  EXPECT_TRUE(ttl.due(kSeen, kSeen + 1000ms));
}

// The kernel's cache and ours together never use an answer for longer than the ttl.
TEST(Freshness, TtlLendsOnlyWhatIsLeft) {
  const FreshnessPolicy ttl = policy(Validate::kTtl);
  EXPECT_EQ(ttl.valid_for(kSeen, kSeen), 1000ms);
  EXPECT_EQ(ttl.valid_for(kSeen, kSeen + 400ms), 600ms);
  EXPECT_EQ(ttl.valid_for(kSeen, kSeen + 1000ms), 0ms);
  EXPECT_EQ(ttl.valid_for(kSeen, kSeen + 5h), 0ms);
  EXPECT_EQ(ttl.valid_for(SteadyTime{}, kSeen), 0ms);
}

TEST(Freshness, ATtlOfZeroAsksEachTime) {
  const FreshnessPolicy ttl = policy(Validate::kTtl, 0ms);
  EXPECT_TRUE(ttl.due(kSeen, kSeen));
  EXPECT_EQ(ttl.valid_for(kSeen, kSeen), 0ms);
}

}  // namespace
}  // namespace forebay::consistency
