#include "evictor/flush_scheduler.h"

#include <algorithm>

#include "core/log.h"

namespace forebay::evictor {
namespace {

// Pauses after failures: 1 s, 2 s, 4 s, ... at most a minute.
std::chrono::seconds backoff(int failures) {
  constexpr int kMostDoublings = 6;
  return std::min(std::chrono::seconds(60), std::chrono::seconds(1 << std::min(failures - 1, kMostDoublings)));
}

}  // namespace

void FlushScheduler::start(uint32_t threads) {
  for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void FlushScheduler::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  done_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void FlushScheduler::queue(InodeId id, Entry& entry, Clock::time_point due) {
  due_.erase({entry.due, entry.sequence});
  entry.due = due;
  if (!entry.running) due_[{due, entry.sequence}] = id;
}

void FlushScheduler::add(InodeId id, Clock::time_point due) {
  {
    const std::lock_guard lock(mutex_);
    const auto [it, is_new] = entries_.try_emplace(id);
    Entry& entry = it->second;
    if (is_new || entry.gone) {
      entry.sequence = next_sequence_++;
      by_age_[entry.sequence] = id;
      entry.due = kNever;
      entry.gone = false;
      entry.expedited = Entry::kNotAsked;
      entry.again = entry.running;
      queue(id, entry, due);
    } else if (entry.running) {
      entry.again = true;
      entry.due = std::min(entry.due, due);
    } else if (due < entry.due && entry.failures == 0) {
      queue(id, entry, due);
    }
  }
  wake_.notify_one();
}

void FlushScheduler::remove(InodeId id) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(id);
    if (it == entries_.end()) return;
    due_.erase({it->second.due, it->second.sequence});
    by_age_.erase(it->second.sequence);
    it->second.gone = true;
    if (!it->second.running) entries_.erase(it);
  }
  done_.notify_all();
}

void FlushScheduler::expedite(const std::vector<InodeId>& ids) {
  {
    const std::lock_guard lock(mutex_);
    for (const InodeId id : ids) {
      const auto it = entries_.find(id);
      if (it == entries_.end() || it->second.gone) continue;
      it->second.expedited = Entry::kAsked;
      it->second.failures = 0;
      it->second.last_error = {0, {}};
      it->second.again = it->second.running;
      queue(id, it->second, Clock::now());
    }
  }
  wake_.notify_all();
}

std::vector<InodeId> FlushScheduler::unanswered(const std::vector<InodeId>& ids) const {
  const std::lock_guard lock(mutex_);
  return unanswered_of(ids);
}

std::vector<InodeId> FlushScheduler::unanswered_of(const std::vector<InodeId>& ids) const {
  std::vector<InodeId> found;
  for (const InodeId id : ids) {
    const auto it = entries_.find(id);
    if (it == entries_.end() || it->second.gone) continue;
    const Entry& entry = it->second;
    const bool asked = entry.expedited == Entry::kAsked || entry.expedited == Entry::kAnswering;
    if (asked || entry.failures > 0) found.push_back(id);
  }
  return found;
}

std::vector<InodeId> FlushScheduler::files() const {
  const std::lock_guard lock(mutex_);
  std::vector<InodeId> ids;
  ids.reserve(by_age_.size());
  for (const auto& [sequence, id] : by_age_) ids.push_back(id);
  return ids;
}

size_t FlushScheduler::count() const {
  const std::lock_guard lock(mutex_);
  return by_age_.size();
}

InodeId FlushScheduler::oldest() const {
  const std::lock_guard lock(mutex_);
  return by_age_.empty() ? 0 : by_age_.begin()->second;
}

FlushScheduler::Outcome FlushScheduler::outcome_of(const std::vector<InodeId>& ids, uint64_t first_new) const {
  Outcome outcome;
  for (const InodeId id : ids) {
    const auto it = entries_.find(id);
    if (it == entries_.end() || it->second.gone || it->second.sequence >= first_new) continue;
    const Entry& entry = it->second;
    if (entry.failures > 0 && !entry.running) {
      outcome.failed.emplace_back(id, entry.last_error);
    } else if (entry.expedited != Entry::kAnswered) {
      outcome.remaining.push_back(id);
    }
  }
  return outcome;
}

FlushScheduler::Outcome FlushScheduler::wait(const std::vector<InodeId>& ids, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return wait_locked(lock, ids, limit);
}

FlushScheduler::Outcome FlushScheduler::wait_unanswered(const std::vector<InodeId>& ids,
                                                        std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return wait_locked(lock, unanswered_of(ids), limit);
}

FlushScheduler::Outcome FlushScheduler::wait_locked(std::unique_lock<std::mutex>& lock, const std::vector<InodeId>& ids,
                                                    std::chrono::milliseconds limit) {
  const uint64_t first_new = next_sequence_;
  Outcome outcome;
  done_.wait_for(lock, limit, [&] {
    outcome = outcome_of(ids, first_new);
    return outcome.remaining.empty() || stopped_;
  });
  return outcome;
}

void FlushScheduler::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (due_.empty() || due_.begin()->first.first == kNever) {
      wake_.wait(lock);
      continue;
    }
    if (const Clock::time_point due = due_.begin()->first.first; due > Clock::now()) {
      wake_.wait_until(lock, due);
      continue;
    }
    const InodeId id = due_.begin()->second;
    due_.erase(due_.begin());
    Entry& taken = entries_.at(id);
    taken.running = true;
    if (taken.expedited == Entry::kAsked) taken.expedited = Entry::kAnswering;
    taken.again = false;
    taken.due = kNever;
    lock.unlock();
    const Status flushed = flush_(id);
    if (!flushed) log(Module::kEvictor).warn("inode {}: {}", id, flushed.error().context);
    lock.lock();

    // The flush removes the file from here when it left it clean.
    if (const auto it = entries_.find(id); it->second.gone) {
      entries_.erase(it);
    } else {
      Entry& entry = it->second;
      entry.running = false;
      if (entry.expedited == Entry::kAnswering && flushed) entry.expedited = Entry::kAnswered;
      if (flushed) {
        entry.failures = 0;
        // Still here: written meanwhile. Its new time was given by add(); without one it must not be forgotten.
        queue(id, entry, entry.again ? entry.due : Clock::now());
      } else {
        ++entry.failures;
        entry.last_error = flushed.error();
        queue(id, entry, Clock::now() + backoff(entry.failures));
      }
    }
    done_.notify_all();
  }
}

}  // namespace forebay::evictor
