// RingTransport: requests come through io_uring instead of reads of /dev/fuse, if kernel and rights allow it.
//
// The kernel has a queue for each CPU and gives a request to the queue of the CPU that its caller runs on; a thread
// that is bound to that CPU serves it, so that a request costs two switches on one CPU and wakes no other. Forgets and
// interrupts, and INIT, still come through /dev/fuse.
//
// An entry of a ring is its thread's own. A request that another thread answers, as a wait for a lock in a cluster,
// keeps its thread until then; meanwhile one more serves the queue, so that what ends the wait comes through.
#pragma once

#include <fuse_lowlevel.h>
#include <sys/uio.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::cachefs {

class RingEntry;

class RingTransport {
 public:
  explicit RingTransport(const Config::Fuse& config) : config_(config) {}
  // After end().
  ~RingTransport();

  // Before the mount: with "on" it switches the module's parameter.
  void prepare();
  // After the mount, before the first request is read: puts itself between libfuse and the kernel.
  void attach(fuse_session* session);
  // Ends the threads after the requests that they serve.
  void end();

  // What `forebay status` says: "on", "off: REASON".
  std::string report();

  // Before another thread is let know of the request that this thread serves, and answers it. EAGAIN, ENOMEM: nobody
  // would be left for the others of this queue; ENODEV: the mount ends.
  Status let_another_answer();

  // Whether this thread's requests come through io_uring.
  static bool serves_this_thread();
  // Where a reply of this many bytes may be put so that it is not copied twice. Valid until the reply; of this thread.
  static std::span<char> reply_space(size_t bytes);

  // The way of messages that libfuse is given.
  ssize_t read(int fuse, void* buffer, size_t bytes);
  ssize_t write(int fuse, iovec* parts, int count);

 private:
  void see_init(const char* request, size_t bytes);
  void answer_init(iovec* parts);
  Status start(uint32_t payload_bytes);
  void serve(uint16_t queue);
  bool await_begin(uint16_t queue, const Status& made);
  void add_thread(uint16_t queue);
  // The answer to a request of another thread, if it is one.
  bool answer_for_another(iovec* parts, int count);
  void await_answer(uint64_t request);
  void give_up(const std::string& reason);

  const Config::Fuse& config_;
  fuse_session* session_ = nullptr;
  UniqueFd stop_;
  size_t payload_bytes_ = 0;
  uint32_t each_ = 0;              // threads that a queue has when none of them waits for an answer
  std::atomic<uint64_t> init_{0};  // the number of the INIT request, while it offers io_uring and is not answered

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
  size_t ready_ = 0;  // threads that have their entry, or could not get one
  size_t failed_ = 0;
  std::vector<uint32_t> serving_;  // by queue: threads that do not wait for an answer
  struct Awaited {
    RingEntry* entry = nullptr;
    std::condition_variable answered;
    bool is_answered = false;
  };
  std::map<uint64_t, Awaited> awaited_;  // by the request's number
  Status failure_;
  enum class Stage { kWaiting, kServing, kEnded } stage_ = Stage::kWaiting;
  std::string off_ = "no request has come yet";
};

}  // namespace forebay::cachefs
