#include "cachefs/lock_book.h"

namespace forebay::cachefs {

void LockBook::note(const LockRequest& lock, uint64_t handle) {
  const std::lock_guard guard(mutex_);
  entries_[{lock.id, lock.owner.number, lock.space}].handles.insert(handle);
}

bool LockBook::closed(InodeId id, uint64_t owner, uint64_t handle) {
  const std::lock_guard guard(mutex_);
  for (auto at = entries_.lower_bound({id, 0, LockSpace{}}); at != entries_.end() && std::get<0>(at->first) == id;
       ++at) {
    if (at->second.handles.contains(handle)) at->second.closed_at = Clock::now();
  }
  return entries_.erase({id, owner, LockSpace::kRecord}) > 0;
}

std::vector<LockRequest> LockBook::released(InodeId id, uint64_t handle) {
  const std::lock_guard guard(mutex_);
  std::vector<LockRequest> locks;
  for (auto at = entries_.lower_bound({id, 0, LockSpace{}}); at != entries_.end() && std::get<0>(at->first) == id;
       ++at) {
    if (!at->second.handles.contains(handle)) continue;
    LockRequest& lock = locks.emplace_back();
    lock.id = id;
    lock.owner.number = std::get<1>(at->first);
    lock.space = std::get<2>(at->first);
  }
  return locks;
}

void LockBook::ended(const std::vector<LockRequest>& locks) {
  {
    const std::lock_guard guard(mutex_);
    for (const LockRequest& lock : locks) entries_.erase({lock.id, lock.owner.number, lock.space});
    ++ends_;
  }
  changed_.notify_all();
}

bool LockBook::await_ends(InodeId id, uint64_t before) {
  std::unique_lock guard(mutex_);
  for (bool waits = true; waits;) {
    waits = false;
    const Clock::time_point now = Clock::now();
    for (auto at = entries_.lower_bound({id, 0, LockSpace{}}); at != entries_.end() && std::get<0>(at->first) == id;
         ++at) {
      const Clock::time_point until = at->second.closed_at + kMoment;
      if (until <= now) continue;
      waits = true;
      changed_.wait_until(guard, until);
      break;  // what `at` was at may be gone
    }
  }
  return ends_ != before;
}

uint64_t LockBook::ends() {
  const std::lock_guard guard(mutex_);
  return ends_;
}

}  // namespace forebay::cachefs
