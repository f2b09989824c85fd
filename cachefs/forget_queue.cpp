#include "cachefs/forget_queue.h"

#include <chrono>
#include <utility>

namespace forebay::cachefs {
namespace {

constexpr std::chrono::milliseconds kPatience{5};
// Of those that wait; whoever has one more tells of all.
constexpr size_t kMostWaiting = 1000;

}  // namespace

ForgetQueue::~ForgetQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ForgetQueue::push(InodeId id, uint64_t count) {
  std::vector<Forgotten> all;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({id, count});
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    if (waiting_.size() > kMostWaiting) all.swap(waiting_);
    if (waiting_.size() == 1) wake_.notify_one();
  }
  if (!all.empty()) meta_.forget_many(all);
}

void ForgetQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    wake_.wait_for(lock, kPatience, [this] { return stopping_; });
    if (stopping_) return;
    const std::vector<Forgotten> all = std::exchange(waiting_, {});
    lock.unlock();
    if (!all.empty()) meta_.forget_many(all);
    lock.lock();
  }
}

}  // namespace forebay::cachefs
