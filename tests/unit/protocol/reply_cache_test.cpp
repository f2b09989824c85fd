#include "core/transport/reply_cache.h"

#include <gtest/gtest.h>

#include <thread>

namespace forebay::transport {
namespace {

using namespace std::chrono_literals;

TEST(ReplyCacheTest, WhoAsksAgainGetsTheReplyOfTheFirstTime) {
  ReplyCache replies;
  EXPECT_EQ(replies.begin(1, 7), nullptr);
  replies.finish(1, 7, {{0, {}}, "done"});
  EXPECT_EQ(replies.begin(1, 7)->body, "done");
  EXPECT_EQ(replies.begin(2, 7), nullptr) << "another session";
}

TEST(ReplyCacheTest, WhoAsksAgainMeanwhileWaitsForIt) {
  ReplyCache replies;
  ASSERT_EQ(replies.begin(1, 7), nullptr);
  std::string seen;
  std::thread again([&] { seen = replies.begin(1, 7)->body; });
  replies.finish(1, 7, {{0, {}}, "done"});
  again.join();
  EXPECT_EQ(seen, "done");
}

TEST(ReplyCacheTest, WhatWasGivenUpIsDoneAnew) {
  ReplyCache replies;
  ASSERT_EQ(replies.begin(1, 7), nullptr);
  replies.abandon(1, 7);
  EXPECT_EQ(replies.begin(1, 7), nullptr);
}

TEST(ReplyCacheTest, NobodyWaitsForEver) {
  ReplyCache replies(1ms);
  ASSERT_EQ(replies.begin(1, 7), nullptr);
  EXPECT_EQ(replies.begin(1, 7)->error.code, ETIMEDOUT);
  replies.finish(1, 7, {{0, {}}, "done"});
  EXPECT_EQ(replies.begin(1, 7)->body, "done") << "it came all the same";
}

}  // namespace
}  // namespace forebay::transport
