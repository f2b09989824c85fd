#include "cachefs/absent_names.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>

namespace forebay::cachefs {
namespace {

constexpr InodeId kDirectory = 7;
constexpr int kEnough = 16;

class AbsentNamesTest : public testing::Test {
 protected:
  void make_many(InodeId directory = kDirectory) {
    for (int i = 0; i < kEnough; ++i) {
      const std::string name = "made" + std::to_string(i);
      there_.add(name);
      names_.made(directory, name);
    }
  }
  bool lacks(const std::string& name, InodeId directory = kDirectory) {
    return names_.lacks(directory, name).has_value();
  }

  NameFilter there_;  // what the server says
  std::chrono::milliseconds valid_for_ = std::chrono::hours(1);
  std::function<void()> while_asking_ = [] {};
  int asked_ = 0;
  AbsentNames names_{[this](InodeId) -> Result<NamesReply> {
    ++asked_;
    NamesReply reply{there_.copy(), valid_for_};
    const auto meanwhile = std::exchange(while_asking_, [] {});
    meanwhile();
    return reply;
  }};
};

TEST_F(AbsentNamesTest, NothingIsKnownBeforeManyAreMade) {
  EXPECT_FALSE(lacks("a"));
  names_.made(kDirectory, "b");
  EXPECT_FALSE(lacks("a"));
  EXPECT_EQ(asked_, 0);
}

TEST_F(AbsentNamesTest, TheServerIsAskedOnceForAll) {
  make_many();
  EXPECT_TRUE(lacks("a"));
  EXPECT_TRUE(lacks("b"));
  EXPECT_FALSE(lacks("made3"));
  EXPECT_FALSE(lacks("a", kDirectory + 1));
  EXPECT_EQ(asked_, 1);
}

TEST_F(AbsentNamesTest, WhatIsMadeHereIsThere) {
  make_many();
  ASSERT_TRUE(lacks("a"));
  names_.made(kDirectory, "a");
  EXPECT_FALSE(lacks("a"));
  EXPECT_TRUE(lacks("b"));
}

TEST_F(AbsentNamesTest, WhatIsMadeWhileTheServerListsIsThere) {
  make_many();
  while_asking_ = [this] { names_.made(kDirectory, "a"); };
  EXPECT_FALSE(lacks("a"));
  EXPECT_TRUE(lacks("b"));
}

TEST_F(AbsentNamesTest, NamesOfWhichAListingSaysNothingAreAskedFor) {
  make_many();
  EXPECT_TRUE(lacks("a"));
  EXPECT_FALSE(lacks(".snapshot"));
  EXPECT_FALSE(lacks("\xc3\xa9"));
  EXPECT_FALSE(lacks(std::string(NameFilter::kLongestName + 1, 'a')));
  EXPECT_FALSE(lacks("MADE3")) << "the file system may take it for the same";
}

TEST_F(AbsentNamesTest, NewsEndsThem) {
  make_many();
  ASSERT_TRUE(lacks("a"));
  names_.forget_all();
  EXPECT_FALSE(lacks("a"));
}

TEST_F(AbsentNamesTest, AReplyThatNewsHasOvertakenIsNotUsed) {
  make_many();
  while_asking_ = [this] { names_.forget_all(); };
  EXPECT_FALSE(lacks("a"));
  EXPECT_FALSE(lacks("a"));
  EXPECT_EQ(asked_, 1);
}

TEST_F(AbsentNamesTest, AReplyOfBeforeTheNewsDoesNotAnswerALaterQuestion) {
  make_many();
  while_asking_ = [this] {
    names_.forget_all();
    make_many();
    names_.made(kDirectory, "a");
    there_.add("a");
    EXPECT_TRUE(lacks("b"));  // asks again
  };
  EXPECT_FALSE(lacks("a"));
  EXPECT_FALSE(lacks("a"));
}

TEST_F(AbsentNamesTest, TheyEndByThemselves) {
  make_many();
  valid_for_ = std::chrono::milliseconds(20);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  (void)lacks("a");
  while (lacks("a") && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_FALSE(lacks("a"));
  EXPECT_EQ(asked_, 1) << "too few were made since";
}

TEST_F(AbsentNamesTest, WhoIsToldNothingAsksLess) {
  valid_for_ = std::chrono::milliseconds(0);
  constexpr int kTimes = 32;
  for (int i = 0; i < kTimes; ++i) {
    make_many();
    EXPECT_FALSE(lacks("a"));
  }
  EXPECT_LT(asked_, 7);
}

TEST(NameFilterTest, TravelsAsBytes) {
  NameFilter names;
  names.add("a");
  const auto arrived = NameFilter::of_bytes(names.bytes());
  ASSERT_TRUE(arrived);
  EXPECT_TRUE(arrived->may_have("a"));
  EXPECT_FALSE(arrived->may_have("b"));
  EXPECT_FALSE(NameFilter::of_bytes("short"));
}

}  // namespace
}  // namespace forebay::cachefs
