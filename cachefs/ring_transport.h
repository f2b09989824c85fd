// RingTransport: requests come through io_uring instead of reads of /dev/fuse, if kernel and rights allow it.
//
// The kernel has a queue for each CPU and gives a request to the queue of the CPU that its caller runs on; a thread
// that is bound to that CPU serves it, so that a request costs two switches on one CPU and wakes no other. Forgets and
// interrupts, and INIT, still come through /dev/fuse.
#pragma once

#include <fuse_lowlevel.h>
#include <sys/uio.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::cachefs {

class RingTransport {
 public:
  // `in_cluster`: it is not used. There a request may wait for a lock that only another request ends, and its answer
  // comes from another thread; an entry of a ring is its thread's own, and who waits in all of them would wait for
  // ever.
  RingTransport(const Config::Fuse& config, bool in_cluster) : config_(config), in_cluster_(in_cluster) {}
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
  void serve(uint16_t queue, size_t payload_bytes);
  bool await_begin(const Status& made);
  void give_up(const std::string& reason);

  const Config::Fuse& config_;
  const bool in_cluster_;
  fuse_session* session_ = nullptr;
  UniqueFd stop_;
  std::vector<std::thread> threads_;
  std::atomic<uint64_t> init_{0};  // the number of the INIT request, while it offers io_uring and is not answered

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t ready_ = 0;  // threads that have their entry, or could not get one
  Status failure_;
  enum class Stage { kWaiting, kServing, kEnded } stage_ = Stage::kWaiting;
  std::string off_ = "no request has come yet";
};

}  // namespace forebay::cachefs
