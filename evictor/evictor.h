// Evictor: decides what leaves the cache, and when (paper 4.4).
//
// Least recently used files go first. Four rounds, each gentler on running applications than the next; a round is
// begun only when the one before did not free enough:
//   1. clean files that nobody has open: dropped whole
//   2. dirty files that nobody has open: flushed, then dropped
//   3. open files: their clean extents
//   4. open files: flushed, then their extents
// Pinned files are never touched. A writer that needs room runs the rounds itself (one at a time; the others wait and
// look again), so a full cache slows writers down to the speed of the outside. A background thread runs rounds 1 and 2
// from the high watermark down to the low one, so that writers seldom meet a full cache.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "core/result.h"
#include "evictor/lru.h"

namespace forebay::evictor {

struct FileUse {
  bool open = false;
  bool dirty = false;
  bool pinned = false;
};

// What the evictor asks of the metadata server.
struct Actions {
  std::function<FileUse(InodeId)> use_of;
  std::function<Status(InodeId)> flush;
  // Drops up to that many bytes of a file (all of one that is not open). Returns the bytes freed.
  std::function<Result<uint64_t>(InodeId, uint64_t)> drop;
  std::function<uint64_t()> used_bytes;  // and reserved ones
  std::function<uint64_t()> capacity_bytes;
};

struct Watermarks {
  uint64_t high_bytes = 0;
  uint64_t low_bytes = 0;
};

class Evictor {
 public:
  Evictor(Actions actions, std::function<Watermarks()> watermarks)
      : actions_(std::move(actions)), watermarks_(std::move(watermarks)) {}
  ~Evictor() { stop(); }

  void start();
  void stop();

  // A file was used, or has data now. Thread safe.
  void touch(InodeId id);
  // A file has no data any more. Thread safe.
  void remove(InodeId id);

  // Frees some of `bytes`, or nothing when all files are in the midst of something; the caller tries again.
  // ENOSPC when all that is left is pinned, or the error of the flush that stood in the way.
  // Blocks as long as flushes take.
  Status make_room(uint64_t bytes);

  // The high watermark was crossed: the background thread has work. Returns at once.
  void kick();

  uint64_t evicted_bytes() const { return evicted_bytes_; }

 private:
  enum class Round { kCleanClosed, kDirtyClosed, kCleanOpen, kDirtyOpen };

  void run();
  // Runs one round until `bytes` are free. Adds to `freed`, keeps the last error; true if some file may be evicted at
  // all, now or when it is used less.
  bool run_round(Round round, uint64_t bytes, uint64_t* freed, Error* last_error);

  const Actions actions_;
  const std::function<Watermarks()> watermarks_;

  std::mutex lru_mutex_;
  Lru lru_;

  std::mutex room_mutex_;  // held by who makes room

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool kicked_ = false, stopped_ = false;
  std::thread thread_;
  std::atomic<uint64_t> evicted_bytes_{0};
};

}  // namespace forebay::evictor
