// EventPool: threads that wait for one epoll set. Who is woken by a descriptor serves it; another thread is started
// when all are busy.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/processor.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::transport {

class EventPool {
 public:
  struct Options {
    uint8_t level = 0;                  // of the requests that its threads make
    uint32_t processor = kNoProcessor;  // where they stay; otherwise they run anywhere
    size_t most_threads = 1;
  };
  // Called with the key of what has become ready.
  using Serve = std::function<void(uint64_t key)>;
  static constexpr uint64_t kStop = 0;  // the key of the event that ends all threads

  explicit EventPool(Options options) : options_(options) {}
  EventPool(const EventPool&) = delete;
  EventPool& operator=(const EventPool&) = delete;

  // All of these are thread safe.

  // Makes the set and starts the first thread, if that has not been done. `stop`: an eventfd that is written to when
  // all is to end, after end(). EMFILE, ENOMEM, EAGAIN: a limit; ESHUTDOWN after end().
  Status open(int stop, const Serve& serve);
  // epoll_ctl(2), with its errors.
  Status watch(int descriptor, uint64_t key, uint32_t events, int operation);
  void unwatch(int descriptor);

  // For who serves one: counts it as long as it lives.
  class Request {
   public:
    explicit Request(EventPool& pool) : pool_(pool) { ++pool_.requests_; }
    ~Request() { --pool_.requests_; }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

   private:
    EventPool& pool_;
  };
  bool is_serving() const { return requests_ > 0; }

  // No thread is started from now on; join() waits for all of them. By one thread.
  void end();
  void join();

 private:
  // With mutex_.
  Status add_thread();
  void work();

  const Options options_;
  UniqueFd epoll_;
  Serve serve_;
  std::atomic<bool> is_open_{false};
  std::atomic<bool> ended_{false};
  std::atomic<size_t> idle_{0};  // threads
  std::atomic<size_t> requests_{0};
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

}  // namespace forebay::transport
