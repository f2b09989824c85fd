// LockWaits: programs of this node that wait for locks which others have, in a cluster.
//
// No thread waits for each of them: a wait is an entry here and a place in its server's queue. For each metadata server
// that has any, one thread asks what became of them (MetaService::await_locks()), and answers the kernel. A signal to
// the program takes its wait back. Only a request through io_uring keeps its thread, see RingTransport.
#pragma once

#include <fuse_lowlevel.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/protocol/meta_service.h"
#include "core/work_queue.h"

namespace forebay::cachefs {

// Thread safe.
class LockWaits {
 public:
  explicit LockWaits(MetaService& meta);
  ~LockWaits() { stop(); }
  LockWaits(const LockWaits&) = delete;
  LockWaits& operator=(const LockWaits&) = delete;

  // Ends `request` when the lock is set, or will not be: EINTR after a signal, EDEADLK, ENOLCK (too many wait here, or
  // the server has too many locks), errors of the way to the server. Does not wait for that itself.
  void wait_for(fuse_req_t request, const LockRequest& lock);

  // Ends all waits with ENOLCK, and takes no more.
  void stop();

 private:
  static constexpr size_t kMostWaits = 1024;
  static constexpr size_t kMostServers = 64;

  struct Wait {
    fuse_req_t request = nullptr;
    LockRequest lock;
    // Some thread asks its server to set it, or to take it back: nobody else ends the wait.
    bool busy = true;
    bool interrupted = false;
  };
  // Asks one metadata server.
  struct Asker {
    std::thread thread;
    uint64_t ended = 0;  // see LockNews
  };

  static void on_interrupt(fuse_req_t request, void* number);
  void interrupt(uint64_t number);
  // For a wait that is busy: sets the lock, or leaves it waiting.
  void ask(uint64_t number, const LockRequest& lock);
  void take_back(uint64_t number);
  // Ends the wait with errno.
  void end(uint64_t number, int code);
  // The thread of `server`; with mutex_. False: there are too many threads.
  bool start_asker(uint32_t server);
  void run(uint32_t server, Asker& asker);
  // Numbers and locks of the waits that are not busy; with mutex_.
  void collect(uint32_t server, std::vector<uint64_t>& numbers, std::vector<LockRequest>& locks);
  void take_news(const LockNews& news, const std::vector<uint64_t>& numbers);

  MetaService& meta_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_ = 1;
  std::map<uint64_t, Wait> waits_;
  std::map<uint32_t, std::unique_ptr<Asker>> askers_;
  bool stopping_ = false;
  WorkQueue<uint64_t> interrupted_;  // waits to be taken back
  bool interrupts_ = false;          // its thread runs
};

}  // namespace forebay::cachefs
