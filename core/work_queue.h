// WorkQueue: a few threads that take things from a queue, the oldest first.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/processor.h"

namespace forebay {

template <typename T>
class WorkQueue {
 public:
  // `work` does one of them; several threads call it. At most `most_waiting` wait; what does not fit is left out.
  WorkQueue(std::function<void(T)> work, size_t most_waiting) : work_(std::move(work)), most_waiting_(most_waiting) {}
  ~WorkQueue() { stop(); }
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Without threads, what is pushed waits.
  void start(uint32_t threads) {
    for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  }

  // Ends after the work under way; what waits is dropped.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      queue_.clear();
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  bool stopped() const { return stopped_; }

  void push(T item) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_ || queue_.size() >= most_waiting_) return;
      queue_.push_back(std::move(item));
    }
    wake_.notify_one();
  }
  // Takes it out again, if it waits.
  void remove(const T& item) {
    const std::lock_guard lock(mutex_);
    std::erase(queue_, item);
  }

 private:
  void run() {
    leave_processor();
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (stopped_) return;
      T item = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work_(std::move(item));
      lock.lock();
    }
  }

  const std::function<void(T)> work_;
  const size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<T> queue_;
  std::atomic<bool> stopped_{false};
  std::vector<std::thread> threads_;
};

}  // namespace forebay
