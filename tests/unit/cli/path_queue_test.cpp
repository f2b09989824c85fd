#include "cli/path_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace forebay::cli {
namespace {

TEST(PathQueue, HandsOutInOrderAndEnds) {
  PathQueue queue;
  EXPECT_TRUE(queue.push({"a", 1}));
  EXPECT_TRUE(queue.push({"b", 2}));
  queue.finish();
  EXPECT_FALSE(queue.push({"c", 3})) << "too late";
  EXPECT_EQ(queue.pop()->path, "a");
  EXPECT_EQ(queue.pop()->size, 2u);
  EXPECT_FALSE(queue.pop());
  EXPECT_FALSE(queue.pop());
}

TEST(PathQueue, CancelDropsWhatWaits) {
  PathQueue queue;
  queue.push({"a", 1});
  queue.cancel();
  EXPECT_FALSE(queue.pop());
  EXPECT_FALSE(queue.push({"b", 1}));
}

TEST(PathQueue, EveryItemIsHandedOutOnce) {
  constexpr size_t kItems = 20'000;
  PathQueue queue;
  std::atomic<size_t> sum{0}, count{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      while (const auto item = queue.pop()) {
        sum += item->size;
        ++count;
      }
    });
  }
  for (size_t i = 1; i <= kItems; ++i) queue.push({"x", i});
  queue.finish();
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(count, kItems);
  EXPECT_EQ(sum, kItems * (kItems + 1) / 2);
}

TEST(PathQueue, CancelLetsThoseGoWhoWait) {
  PathQueue queue;
  std::thread waiting([&] { EXPECT_FALSE(queue.pop()); });
  queue.cancel();
  waiting.join();
}

TEST(PathQueue, AFullOneWaitsForTheWork) {
  PathQueue queue;
  for (size_t i = 0; i < PathQueue::kMostWaiting; ++i) queue.push({"", 0});
  std::atomic<bool> pushed{false};
  std::thread walker([&] {
    queue.push({"last", 0});
    pushed = true;
  });
  EXPECT_FALSE(pushed);
  EXPECT_TRUE(queue.pop());
  walker.join();
  EXPECT_TRUE(pushed);
}

}  // namespace
}  // namespace forebay::cli
