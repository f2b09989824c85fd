// FlushScheduler: which dirty file is flushed when, and by which thread.
//
// All dirty files are here, each once, with the time at which it is due: flush.delay after it became dirty, never by
// itself under the policy "manual", at once when a command asks. A few threads take what is due; a failed flush is due
// again after a growing pause. Nothing here is on disk: the dirty flags are in the metadata database.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/protocol/types.h"
#include "core/result.h"

namespace forebay::evictor {

class FlushScheduler {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::time_point kNever = Clock::time_point::max();

  // `flush` flushes one file; it is called by one thread at a time for each file.
  explicit FlushScheduler(std::function<Status(InodeId)> flush) : flush_(std::move(flush)) {}
  ~FlushScheduler() { stop(); }

  void start(uint32_t threads);
  // Ends the threads after the flushes under way.
  void stop();

  // The file is dirty; due at `due`, or earlier if it was already.
  void add(InodeId id, Clock::time_point due);
  // The file is clean, or gone.
  void remove(InodeId id);
  // These files are due now; earlier failures are forgotten.
  void expedite(const std::vector<InodeId>& ids);
  // Of `ids`, those that were expedited and not flushed since, or in vain.
  std::vector<InodeId> unanswered(const std::vector<InodeId>& ids) const;

  std::vector<InodeId> files() const;
  size_t count() const;
  // The file that is dirty for the longest time; 0 if none is.
  InodeId oldest() const;

  // Waits until none of `ids` is dirty or all that are have failed since they were expedited; at most `limit`. One that
  // was expedited and flushed since is not waited for again, nor one that was clean and has become dirty again: an
  // application that goes on writing would never let it end. wait_unanswered(): for those of unanswered(ids) only.
  struct Outcome {
    std::vector<InodeId> remaining;  // still to be flushed
    std::vector<std::pair<InodeId, Error>> failed;
  };
  Outcome wait(const std::vector<InodeId>& ids, std::chrono::milliseconds limit);
  Outcome wait_unanswered(const std::vector<InodeId>& ids, std::chrono::milliseconds limit);

 private:
  struct Entry {
    Clock::time_point due;
    uint64_t sequence = 0;  // in the order of becoming dirty
    int failures = 0;
    enum { kNotAsked, kAsked, kAnswering, kAnswered } expedited = kNotAsked;
    bool running = false;
    bool again = false;  // became dirty while it was flushed
    bool gone = false;   // removed while it was flushed: here only until that ends
    Error last_error{0, {}};
  };
  using DueKey = std::pair<Clock::time_point, uint64_t>;

  void run();
  std::vector<InodeId> unanswered_of(const std::vector<InodeId>& ids) const;
  Outcome wait_locked(std::unique_lock<std::mutex>& lock, const std::vector<InodeId>& ids,
                      std::chrono::milliseconds limit);
  void queue(InodeId id, Entry& entry, Clock::time_point due);
  // Without files that became dirty as number `first_new` or later.
  Outcome outcome_of(const std::vector<InodeId>& ids, uint64_t first_new) const;

  const std::function<Status(InodeId)> flush_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;  // something is due, or stop
  std::condition_variable done_;  // a file was flushed, or failed
  std::unordered_map<InodeId, Entry> entries_;
  std::map<DueKey, InodeId> due_;
  std::map<uint64_t, InodeId> by_age_;
  uint64_t next_sequence_ = 1;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace forebay::evictor
