// What the outside had at a name, for all clients; and that a change of ours never leaves an older answer behind.
#include "meta/seen_names.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "meta/name_locks.h"

namespace forebay::meta {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kNotOver{3'600'000};
constexpr InodeId kParent = 1;

uint64_t begin(SeenNames& seen, const std::string& name) {
  uint64_t look = 0;
  EXPECT_FALSE(seen.find(kParent, name, &look));
  return look;
}

std::optional<SeenNames::Answer> answer(SeenNames& seen, const std::string& name) {
  uint64_t look = 0;
  return seen.find(kParent, name, &look);
}

TEST(SeenNames, ALookIsNotedForItsTimeOnly) {
  SeenNames seen(milliseconds(50));
  const uint64_t look = begin(seen, "a");
  EXPECT_FALSE(answer(seen, "a")) << "it is under way";
  seen.note(kParent, "a", look, 7);
  const auto found = answer(seen, "a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, 7u);
  EXPECT_LE(found->valid_for, milliseconds(50));
  uint64_t other = 0;
  EXPECT_FALSE(seen.find(kParent + 1, "a", &other));
  while (answer(seen, "a")) std::this_thread::yield();
  EXPECT_GT(begin(seen, "a"), look) << "the next one is a new look";
}

TEST(SeenNames, WithoutATimeNothingIsNoted) {
  SeenNames seen(milliseconds::zero());
  seen.note(kParent, "a", begin(seen, "a"), 7);
  EXPECT_FALSE(answer(seen, "a"));
}

TEST(SeenNames, OfLooksAtTheSameTimeTheFirstAnswerCounts) {
  SeenNames seen(kNotOver);
  const uint64_t first = begin(seen, "a"), second = begin(seen, "a");
  seen.note(kParent, "a", second, 0);
  const auto found = answer(seen, "a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, 0u) << "there is none";
  EXPECT_EQ(first, second);
}

TEST(SeenNames, WhatWasLookedForBeforeAChangeIsNotNoted) {
  SeenNames seen(kNotOver);
  NameLocks locks(seen);
  const uint64_t before = begin(seen, "a");
  {
    const auto held = locks.hold(kParent, "a");
    EXPECT_TRUE(locks.is_held(kParent, "a"));
    seen.note(kParent, "a", before, 7);
    EXPECT_FALSE(answer(seen, "a"));
  }
  EXPECT_FALSE(locks.is_held(kParent, "a"));
  seen.note(kParent, "a", before, 7);
  EXPECT_FALSE(answer(seen, "a"));
  seen.note(kParent, "a", begin(seen, "a"), 8);
  const auto held = locks.hold(kParent, "a");
  EXPECT_FALSE(answer(seen, "a")) << "nor counts what was noted";
}

TEST(SeenNames, ManyNamesDoNotStay) {
  constexpr int kMany = 140'000;
  SeenNames seen(kNotOver);
  for (int i = 0; i < kMany; ++i) seen.note(kParent, std::to_string(i), begin(seen, std::to_string(i)), 7);
  int known = 0;
  while (known < kMany && answer(seen, std::to_string(kMany - 1 - known))) ++known;
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
        uint64_t look = 0;
        if (const auto found = seen.find(kParent, "a", &look)) {
          told = found->id;
          ++hits;
        } else {
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
