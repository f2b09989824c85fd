#include "cli/path_queue.h"

#include <utility>

namespace forebay::cli {

bool PathQueue::push(PathItem item) {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] { return finished_ || items_.size() < kMostWaiting; });
  if (finished_) return false;
  items_.push_back(std::move(item));
  filled_.notify_one();
  return true;
}

std::optional<PathItem> PathQueue::pop() {
  std::unique_lock lock(mutex_);
  filled_.wait(lock, [this] { return finished_ || !items_.empty(); });
  if (items_.empty()) return std::nullopt;
  PathItem item = std::move(items_.front());
  items_.pop_front();
  drained_.notify_one();
  return item;
}

void PathQueue::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  filled_.notify_all();
  drained_.notify_all();
}

void PathQueue::cancel() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  items_.clear();
  filled_.notify_all();
  drained_.notify_all();
}

}  // namespace forebay::cli
