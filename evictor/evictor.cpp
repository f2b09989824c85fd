#include "evictor/evictor.h"

#include <algorithm>
#include <limits>

#include "core/log.h"

namespace forebay::evictor {

void Evictor::start() {
  thread_ = std::thread([this] { run(); });
}

void Evictor::stop() {
  {
    const std::lock_guard lock(wake_mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Evictor::touch(InodeId id) {
  const std::lock_guard lock(lru_mutex_);
  lru_.touch(id);
}

void Evictor::remove(InodeId id) {
  const std::lock_guard lock(lru_mutex_);
  lru_.remove(id);
}

void Evictor::kick() {
  {
    const std::lock_guard lock(wake_mutex_);
    if (kicked_) return;
    kicked_ = true;
  }
  wake_.notify_one();
}

Status Evictor::make_room(uint64_t bytes) {
  const std::lock_guard lock(room_mutex_);
  const uint64_t used = actions_.used_bytes();
  const uint64_t capacity = actions_.capacity_bytes();
  // While we waited, somebody else made room for all.
  if (used + bytes <= capacity && capacity - used - bytes > capacity / 32) return {};
  // A little more than asked for, so that the next few requests find room at once.
  const uint64_t wanted = std::max(bytes, used + bytes > capacity ? used + bytes - capacity : 0) + capacity / 32;

  uint64_t freed = 0;
  bool evictable = false;
  Error last_error{0, {}};
  for (const Round round : {Round::kCleanClosed, Round::kDirtyClosed, Round::kCleanOpen, Round::kDirtyOpen}) {
    evictable = run_round(round, wanted, &freed, &last_error) || evictable;
    if (freed >= bytes) return {};
  }
  if (freed > 0) return {};  // little, but the next try may find more
  if (last_error.code != 0) return Failure(std::move(last_error));
  if (evictable) return {};  // every file is just being fetched or written; one of them will be done soon
  return fail(ENOSPC, "the cache is full of pinned files");
}

bool Evictor::run_round(Round round, uint64_t bytes, uint64_t* freed, Error* last_error) {
  const bool open = round == Round::kCleanOpen || round == Round::kDirtyOpen;
  const bool dirty = round == Round::kDirtyClosed || round == Round::kDirtyOpen;
  bool evictable = false;
  std::vector<InodeId> ids;
  {
    const std::lock_guard lock(lru_mutex_);
    ids = lru_.oldest(lru_.size());
  }
  for (const InodeId id : ids) {
    if (*freed >= bytes) return true;
    const FileUse use = actions_.use_of(id);
    evictable = evictable || !use.pinned;
    // A dirty file that is open has clean extents as well: it takes part in round 3.
    if (use.pinned || use.open != open || (use.dirty != dirty && round != Round::kCleanOpen)) continue;
    if (dirty) {
      if (Status flushed = actions_.flush(id); !flushed) {
        *last_error = flushed.error();
        continue;
      }
    }
    const Result<uint64_t> dropped = actions_.drop(id, bytes - *freed);
    if (!dropped) {
      *last_error = dropped.error();
      continue;
    }
    *freed += *dropped;
    evicted_bytes_ += *dropped;
  }
  return evictable;
}

void Evictor::run() {
  while (true) {
    {
      std::unique_lock lock(wake_mutex_);
      wake_.wait(lock, [this] { return kicked_ || stopped_; });
      if (stopped_) return;
    }
    {
      const std::lock_guard lock(room_mutex_);
      const Watermarks marks = watermarks_();
      const uint64_t used = actions_.used_bytes();
      uint64_t freed = 0;
      Error last_error{0, {}};
      for (const Round round : {Round::kCleanClosed, Round::kDirtyClosed}) {
        if (used > marks.low_bytes) (void)run_round(round, used - marks.low_bytes, &freed, &last_error);
      }
      if (freed > 0) log(Module::kEvictor).debug("evicted {} bytes in the background", freed);
      if (last_error.code != 0) log(Module::kEvictor).warn("eviction: {}", last_error.message());
    }
    const std::lock_guard lock(wake_mutex_);
    kicked_ = false;
  }
}

}  // namespace forebay::evictor
