// The paths that one thread finds and others work on.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

namespace forebay::cli {

struct PathItem {
  std::string path;
  uint64_t size = 0;  // bytes that it counts in the progress until the mount says what really has to move
};

// Thread safe. Bounded: a walk over more files than memory should hold waits for the work to follow.
class PathQueue {
 public:
  static constexpr size_t kMostWaiting = 1'000'000;

  // False when the queue was closed meanwhile.
  bool push(PathItem item);

  // Waits for an item; nothing when there will be no more.
  std::optional<PathItem> pop();

  // No more items come; those that wait are still handed out.
  void finish();

  // Drops what waits, and lets everyone go.
  void cancel();

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable drained_;
  std::deque<PathItem> items_;
  bool finished_ = false;
};

}  // namespace forebay::cli
