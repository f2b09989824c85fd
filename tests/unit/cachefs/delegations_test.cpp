#include "cachefs/delegations.h"

#include <gtest/gtest.h>

#include <thread>

namespace forebay::cachefs {
namespace {

constexpr InodeId kFile = 17;
constexpr std::chrono::milliseconds kLong{60'000};

AttributesReply delegated_reply(uint64_t size, std::chrono::milliseconds valid_for = kLong) {
  AttributesReply reply;
  reply.attributes.size = size;
  reply.valid_for = valid_for;
  reply.delegated.emplace();
  return reply;
}

TEST(DelegationsTest, ThereAreNoneButThoseOfReplies) {
  Delegations all;
  const Delegations::Question question(all);
  AttributesReply plain = delegated_reply(5);
  plain.delegated.reset();
  all.take(question, kFile, plain);
  EXPECT_FALSE(all.find(kFile));
  all.take(question, kFile, delegated_reply(5));
  ASSERT_TRUE(all.find(kFile));
  EXPECT_FALSE(all.find(kFile)->is_empty);
  EXPECT_FALSE(all.find(kFile + 1));
}

TEST(DelegationsTest, AReplyWithoutOneEndsIt) {
  Delegations all;
  all.take(Delegations::Question(all), kFile, delegated_reply(5));
  AttributesReply plain = delegated_reply(0);
  plain.delegated.reset();
  all.take(Delegations::Question(all), kFile, plain);
  EXPECT_FALSE(all.find(kFile));
}

TEST(DelegationsTest, TheyEndByThemselves) {
  Delegations all;
  all.take(Delegations::Question(all), kFile, delegated_reply(5, std::chrono::milliseconds(20)));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (all.find(kFile) && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_FALSE(all.find(kFile));
}

TEST(DelegationsTest, TheTimeCountsFromTheQuestion) {
  Delegations all;
  const Delegations::Question question(all);
  constexpr std::chrono::milliseconds kTime{5};
  for (const auto until = std::chrono::steady_clock::now() + kTime; std::chrono::steady_clock::now() < until;) {
  }
  all.take(question, kFile, delegated_reply(5, kTime));
  EXPECT_FALSE(all.find(kFile));
}

TEST(DelegationsTest, NewsEndsThem) {
  Delegations all;
  all.take(Delegations::Question(all), kFile, delegated_reply(5));
  all.take(Delegations::Question(all), kFile + 1, delegated_reply(5));
  all.revoke(kFile);
  EXPECT_FALSE(all.find(kFile));
  EXPECT_TRUE(all.find(kFile + 1));
  all.revoke_all();
  EXPECT_FALSE(all.find(kFile + 1));
}

TEST(DelegationsTest, AReplyThatNewsHasOvertakenGivesNone) {
  Delegations all;
  const Delegations::Question question(all);
  all.revoke(kFile);
  all.take(question, kFile, delegated_reply(5));
  EXPECT_FALSE(all.find(kFile));
}

TEST(DelegationsTest, WhatIsWrittenHereIsNotTakenForEmpty) {
  Delegations all;
  all.take(Delegations::Question(all), kFile, delegated_reply(0));
  EXPECT_TRUE(all.find(kFile)->is_empty);
  const Delegations::Question question(all);
  all.written(kFile);
  EXPECT_FALSE(all.find(kFile)->is_empty);
  all.take(question, kFile, delegated_reply(0));
  EXPECT_FALSE(all.find(kFile)->is_empty) << "a reply of before";
}

TEST(DelegationsTest, TheOldestAreForgottenWhenThereAreMany) {
  Delegations all;
  constexpr InodeId kMany = 100'000;
  for (InodeId id = 1; id <= kMany; ++id) all.take(Delegations::Question(all), id, delegated_reply(5));
  EXPECT_FALSE(all.find(1));
  for (InodeId id = kMany - 5'000; id <= kMany; ++id) ASSERT_TRUE(all.find(id)) << id;
}

}  // namespace
}  // namespace forebay::cachefs
