// What the outside had at a name, for all clients; and that a change of ours never leaves an older answer behind.
#include "meta/seen_names.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "meta/name_locks.h"

namespace forebay::meta {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kNotOver{3'600'000};
constexpr InodeId kParent = 1;

TEST(SeenNames, ALookIsNotedForItsTimeOnly) {
  SeenNames seen(milliseconds(50));
  EXPECT_FALSE(seen.find(kParent, "a"));
  const uint64_t look = seen.begin(kParent, "a");
  EXPECT_FALSE(seen.find(kParent, "a")) << "it is under way";
  seen.note(kParent, "a", look, 7);
  const auto found = seen.find(kParent, "a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, 7u);
  EXPECT_LE(found->valid_for, milliseconds(50));
  EXPECT_FALSE(seen.find(kParent + 1, "a"));
  while (seen.find(kParent, "a")) std::this_thread::yield();
  EXPECT_GE(seen.begin(kParent, "a"), look) << "the next one is a new look";
}

TEST(SeenNames, WithoutATimeNothingIsNoted) {
  SeenNames seen(milliseconds::zero());
  seen.note(kParent, "a", seen.begin(kParent, "a"), 7);
  EXPECT_FALSE(seen.find(kParent, "a"));
}

TEST(SeenNames, OfLooksAtTheSameTimeTheFirstAnswerCounts) {
  SeenNames seen(kNotOver);
  const uint64_t first = seen.begin(kParent, "a"), second = seen.begin(kParent, "a");
  seen.note(kParent, "a", second, 0);
  const auto found = seen.find(kParent, "a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, 0u) << "there is none";
  EXPECT_EQ(first, second);
}

TEST(SeenNames, WhatWasLookedForBeforeAChangeIsNotNoted) {
  SeenNames seen(kNotOver);
  NameLocks locks(seen);
  const uint64_t before = seen.begin(kParent, "a");
  {
    const auto held = locks.hold(kParent, "a");
    EXPECT_TRUE(locks.is_held(kParent, "a"));
    seen.note(kParent, "a", before, 7);
    EXPECT_FALSE(seen.find(kParent, "a"));
  }
  EXPECT_FALSE(locks.is_held(kParent, "a"));
  seen.note(kParent, "a", before, 7);
  EXPECT_FALSE(seen.find(kParent, "a"));
  seen.note(kParent, "a", seen.begin(kParent, "a"), 8);
  const auto held = locks.hold(kParent, "a");
  EXPECT_FALSE(seen.find(kParent, "a")) << "nor counts what was noted";
}

TEST(SeenNames, ManyNamesDoNotStay) {
  constexpr int kMany = 140'000;
  SeenNames seen(kNotOver);
  int known = 0;
  for (int i = 0; i < kMany; ++i)
    seen.note(kParent, std::to_string(i), seen.begin(kParent, std::to_string(i)), 7);
  for (int i = 0; i < kMany; ++i) known += seen.find(kParent, std::to_string(i)) ? 1 : 0;
  EXPECT_GT(known, 1);
  EXPECT_LT(known, kMany);
}

// One thread changes what is at a name, and others look for it as lookup() does. None may be told of something older
// than what was there when it asked.
TEST(SeenNames, NobodyIsToldOfWhatWasThereBeforeAChangeThatHasEnded) {
  constexpr int kChanges = 5'000, kLookers = 3;
  SeenNames seen(kNotOver);
  NameLocks locks(seen);
  std::atomic<InodeId> there{1};
  std::atomic<InodeId> ended{1};
  std::atomic<int> old_answers{0}, hits{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> lookers;
  for (int i = 0; i < kLookers; ++i) {
    lookers.emplace_back([&] {
      while (!stop) {
        const InodeId at_least = ended;
        InodeId told = 0;
        if (const auto found = seen.find(kParent, "a")) {
          told = found->id;
          ++hits;
        } else {
          uint64_t look = seen.begin(kParent, "a");
          if (locks.is_held(kParent, "a")) look = 0;
          told = there;
          std::this_thread::yield();
          seen.note(kParent, "a", look, told);
        }
        if (told < at_least) ++old_answers;
      }
    });
  }
  for (InodeId change = 2; change < kChanges; ++change) {
    {
      const auto held = locks.hold(kParent, "a");
      there = change;
    }
    ended = change;
    if (change % 16 != 0) continue;
    for (const int before = hits; hits == before;) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& looker : lookers) looker.join();
  EXPECT_EQ(old_answers, 0);
}

}  // namespace
}  // namespace forebay::meta
