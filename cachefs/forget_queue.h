// ForgetQueue: inodes that the kernel has let go, told to the servers of a cluster several at a time. Nobody waits for
// that: where many files are removed, each would cost a request of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/protocol/meta_service.h"

namespace forebay::cachefs {

class ForgetQueue {
 public:
  // `meta` outlives this.
  explicit ForgetQueue(MetaService& meta) : meta_(meta) {}
  // What is not told yet is not told: the session ends, and with it what it holds.
  ~ForgetQueue();
  ForgetQueue(const ForgetQueue&) = delete;
  ForgetQueue& operator=(const ForgetQueue&) = delete;

  // Takes `count` lookups back, some milliseconds later. Thread safe.
  void push(InodeId id, uint64_t count);

 private:
  void run();

  MetaService& meta_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Forgotten> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // from the first one on
};

}  // namespace forebay::cachefs
