#include "meta/lock_table.h"

#include <algorithm>
#include <limits>
#include <set>

#include "core/log.h"

namespace forebay::meta {
namespace {

// What else is true of a space, besides that locks of several owners exclude each other.
struct SpaceRules {
  // Who waits for somebody who waits for him gets EDEADLK.
  bool finds_deadlocks = false;
  // Who asks for the other kind of lock gives up what he has, even if he does not get it then (flock(2)).
  bool gives_up_first = false;
};

constexpr SpaceRules rules_of(LockSpace space) {
  switch (space) {
    case LockSpace::kRecord:
      return {.finds_deadlocks = true, .gives_up_first = false};
    case LockSpace::kFlock:
      return {.finds_deadlocks = false, .gives_up_first = true};
  }
  return {};
}

bool is_sound(const LockRequest& request) {
  const bool known = request.space == LockSpace::kRecord || request.space == LockSpace::kFlock;
  return known && request.begin < request.end && request.end <= kLockToTheEnd;
}

bool overlap(const LockRequest& one, const LockRequest& other) {
  return one.begin < other.end && other.begin < one.end && (one.exclusive || other.exclusive) &&
         one.owner != other.owner;
}

}  // namespace

LockTable::WaitKey LockTable::key_of(const LockRequest& request) {
  return {request.owner.number, file_of(request), request.begin, request.end, request.exclusive};
}

LockTable::Session& LockTable::session_of(uint64_t session) {
  const auto [found, is_new] = sessions_.try_emplace(session);
  if (is_new) found->second.ended = ++ends_;
  return found->second;
}

std::set<uint64_t> LockTable::keep_in(std::unique_ptr<LockStore> store) {
  const std::lock_guard lock(mutex_);
  std::set<uint64_t> sessions;
  for (const LockRequest& known : store->take_loaded()) {
    if (!is_sound(known)) continue;
    const auto more = files_[file_of(known)].ranges.set(known, std::numeric_limits<size_t>::max());
    account(file_of(known), known.owner.session, more.value_or(0));
    sessions.insert(known.owner.session);
  }
  store_ = std::move(store);
  return sessions;
}

Result<bool> LockTable::lock(const LockRequest& request, bool wait) {
  if (!is_sound(request)) return fail(EINVAL);
  const std::lock_guard lock(mutex_);
  const Result<bool> granted = ask(request, wait);
  // What it gave up, or had in another kind, may be what others wait for.
  advance(files_[file_of(request)]);
  const bool is_set = granted && (*granted || files_[file_of(request)].ranges.has(request));
  forget_if_empty(file_of(request));
  forget_if_empty(request.owner.session);
  return granted ? Result<bool>(is_set) : granted;
}

Result<bool> LockTable::ask(const LockRequest& request, bool wait) {
  File& file = files_[file_of(request)];
  Session& session = session_of(request.owner.session);
  const auto known = session.waits.find(key_of(request));
  if (file.ranges.has(request)) {
    if (known != session.waits.end()) drop_wait(file, known->second, true);
    return true;
  }
  const Clock::time_point now = Clock::now();
  if (known != session.waits.end() && wait) {
    known->second->asked_at = now;
    return false;
  }
  if (rules_of(request.space).gives_up_first && file.ranges.has_any(request.owner)) {
    RETURN_IF_ERROR(clear(file, request));
    advance(file);
  }
  const bool taken = file.ranges.conflict(request) != nullptr;
  const bool behind = !taken && wait && stands_behind(file, request, now, file.queue.end());
  if (!taken && !behind) {
    RETURN_IF_ERROR(set(file, request));
    return true;
  }
  if (!wait) return fail(EAGAIN);
  if (taken && closes_cycle(request)) return fail(EDEADLK);
  if (session.waits.size() >= limits_.waits_of_session) return fail(ENOLCK);
  session.waits[key_of(request)] = file.queue.insert(file.queue.end(), {request, now, now});
  return false;
}

Status LockTable::unlock(const LockRequest& request) {
  if (!is_sound(request)) return fail(EINVAL);
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(file_of(request));
  if (found == files_.end()) return {};
  Status cleared = clear(found->second, request);
  if (cleared) advance(found->second);
  forget_if_empty(file_of(request));
  forget_if_empty(request.owner.session);
  return cleared;
}

std::optional<LockRanges::Range> LockTable::test(const LockRequest& request) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(file_of(request));
  if (found == files_.end()) return {};
  const LockRanges::Range* const range = found->second.ranges.conflict(request);
  return range == nullptr ? std::nullopt : std::optional(*range);
}

Status LockTable::set(File& file, const LockRequest& request) {
  Session& session = session_of(request.owner.session);
  const size_t room = limits_.locks_of_session - std::min(limits_.locks_of_session, session.lock_count);
  ASSIGN_OR_RETURN(const ptrdiff_t more,
                   file.ranges.set(request, std::min(limits_.locks_of_file, file.ranges.count() + room)));
  account(file_of(request), request.owner.session, more);
  keep(file, request);
  return {};
}

Status LockTable::clear(File& file, const LockRequest& request) {
  ASSIGN_OR_RETURN(const ptrdiff_t more, file.ranges.clear(request, limits_.locks_of_file));
  account(file_of(request), request.owner.session, more);
  keep(file, request);
  return {};
}

void LockTable::keep(const File& file, const LockRequest& request) {
  if (store_ != nullptr) note_kept(store_->replace(request, file.ranges.near(request)));
}

// A lock counts all the same: only a restart would lose it.
void LockTable::note_kept(const Status& kept) {
  if (!kept && keeps_) log(Module::kMeta).error("locks end with this process: {}", kept.error().message());
  if (kept && !keeps_) log(Module::kMeta).info("locks that are set outlive this process again");
  keeps_ = kept.has_value();
}

void LockTable::account(const FileKey& file, uint64_t session, ptrdiff_t more) {
  if (more == 0) return;
  Session& known = session_of(session);
  const auto added = static_cast<size_t>(more);  // of a negative number the rest modulo 2^64, which adds as well
  known.lock_count += added;
  if ((known.locks[file] += added) == 0) known.locks.erase(file);
}

void LockTable::drop_wait(File& file, Queue::iterator wait, bool ended) {
  Session& session = session_of(wait->request.owner.session);
  session.waits.erase(key_of(wait->request));
  file.queue.erase(wait);
  if (ended) session.ended = ++ends_;
  session.changed.notify_all();
}

void LockTable::advance(File& file) {
  while (!file.queue.empty() && advance_once(file)) continue;
}

bool LockTable::advance_once(File& file) {
  const Clock::time_point now = Clock::now();
  bool granted = false;
  for (auto at = file.queue.begin(); at != file.queue.end();) {
    const auto wait = at++;
    if (now - wait->asked_at > limits_.grace) {
      drop_wait(file, wait, false);
      continue;
    }
    if (file.ranges.conflict(wait->request) != nullptr) continue;
    if (stands_behind(file, wait->request, wait->since, wait)) continue;
    // If there is no room for it, the client learns that when it asks again.
    granted = set(file, wait->request).has_value() || granted;
    drop_wait(file, wait, true);
  }
  return granted;
}

bool LockTable::stands_behind(File& file, const LockRequest& request, Clock::time_point since,
                              Queue::iterator place) const {
  const Clock::time_point now = Clock::now();
  if (now - since >= limits_.patience) return false;
  for (auto before = file.queue.begin(); before != place; ++before) {
    if (!overlap(before->request, request) || now - before->asked_at > limits_.grace) continue;
    const std::vector<LockOwner> owners = file.ranges.conflicting_owners(before->request);
    if (!std::binary_search(owners.begin(), owners.end(), request.owner)) return true;
  }
  return false;
}

// Follows who waits for whom, from those who have what is asked for. Only what is set counts: one who merely stands
// behind another in the queue passes him in the end.
bool LockTable::closes_cycle(const LockRequest& request) {
  if (!rules_of(request.space).finds_deadlocks) return false;
  constexpr size_t kMostOwners = 1000;
  std::vector<LockOwner> next = files_[file_of(request)].ranges.conflicting_owners(request);
  std::set<LockOwner> seen(next.begin(), next.end());
  while (!next.empty() && seen.size() <= kMostOwners) {
    const LockOwner owner = next.back();
    next.pop_back();
    for (const LockOwner& other : waited_for_by(owner)) {
      if (other == request.owner) return true;
      if (seen.insert(other).second) next.push_back(other);
    }
  }
  return false;
}

std::vector<LockOwner> LockTable::waited_for_by(const LockOwner& owner) {
  const auto found = sessions_.find(owner.session);
  if (found == sessions_.end()) return {};
  const auto& waits = found->second.waits;
  const Clock::time_point now = Clock::now();
  std::vector<LockOwner> owners;
  WaitKey first;
  first.owner = owner.number;
  for (auto at = waits.lower_bound(first); at != waits.end(); ++at) {
    const auto& [key, wait] = *at;
    if (key.owner != owner.number) break;
    if (!rules_of(key.file.second).finds_deadlocks || now - wait->asked_at > limits_.grace) continue;
    const std::vector<LockOwner> more = files_[key.file].ranges.conflicting_owners(wait->request);
    owners.insert(owners.end(), more.begin(), more.end());
  }
  return owners;
}

LockNews LockTable::await(std::span<const LockRequest> waits, uint64_t ended, std::chrono::milliseconds limit) {
  LockNews news;
  if (waits.empty()) return news;
  const Clock::time_point until = Clock::now() + limit;
  const uint64_t asking = waits.front().owner.session;
  std::unique_lock lock(mutex_);
  Session& session = session_of(asking);
  ++session.awaiting;
  const bool may_wait = awaiting_ < limits_.awaiting;
  if (may_wait) ++awaiting_;
  for (;;) {
    std::set<FileKey> files;  // somebody's patience may be over, and somebody's grace
    for (const LockRequest& wait : waits) files.insert(file_of(wait));
    const Clock::time_point now = Clock::now();
    for (const LockRequest& wait : waits) {
      const auto known = session.waits.find(key_of(wait));
      if (known != session.waits.end()) known->second->asked_at = now;
    }
    for (const FileKey& file : files) {
      if (const auto found = files_.find(file); found != files_.end()) advance(found->second);
      forget_if_empty(file);
    }
    for (size_t i = 0; i < waits.size(); ++i) {
      if (const auto over = answer(waits[i], i)) news.answers.push_back(*over);
    }
    if (!news.answers.empty() || session.ended != ended || !may_wait) break;
    if (session.changed.wait_until(lock, until) == std::cv_status::timeout && Clock::now() >= until) break;
  }
  news.ended = session.ended;
  if (may_wait) --awaiting_;
  --session.awaiting;
  forget_if_empty(asking);
  return news;
}

std::optional<LockAnswer> LockTable::answer(const LockRequest& request, size_t place) {
  const auto file = files_.find(file_of(request));
  if (file != files_.end() && file->second.ranges.has(request)) return LockAnswer{place, 0};
  Session& session = session_of(request.owner.session);
  const auto known = session.waits.find(key_of(request));
  if (known == session.waits.end()) return LockAnswer{place, EAGAIN};
  // Locks that were set since may have closed the cycle, if an owner has several threads.
  if (file->second.ranges.conflict(request) == nullptr || !closes_cycle(request)) return {};
  drop_wait(file->second, known->second, false);
  forget_if_empty(file_of(request));
  return LockAnswer{place, EDEADLK};
}

bool LockTable::cancel(const LockRequest& request) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(file_of(request));
  if (found == files_.end()) return false;
  Session& session = session_of(request.owner.session);
  if (const auto known = session.waits.find(key_of(request)); known != session.waits.end()) {
    drop_wait(found->second, known->second, true);
    advance(found->second);  // others stood behind it
  }
  const bool is_set = found->second.ranges.has(request);
  forget_if_empty(file_of(request));
  forget_if_empty(request.owner.session);
  return is_set;
}

size_t LockTable::end_session(uint64_t session) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return 0;
  Session& ended = found->second;
  const size_t had = ended.lock_count + ended.waits.size();
  std::set<FileKey> files;
  for (const auto& [file, count] : ended.locks) files.insert(file);
  if (store_ != nullptr && !files.empty())
    note_kept(store_->end_session(session, std::vector(files.begin(), files.end())));
  for (const auto& [key, wait] : ended.waits) files.insert(key.file);
  while (!ended.waits.empty()) {
    const auto& [key, wait] = *ended.waits.begin();
    drop_wait(files_[key.file], wait, true);
  }
  ended.locks.clear();
  ended.lock_count = 0;
  for (const FileKey& file : files) {
    files_[file].ranges.clear_session(session);
    advance(files_[file]);
    forget_if_empty(file);
  }
  forget_if_empty(session);
  return had;
}

void LockTable::forget_if_empty(const FileKey& file) {
  const auto found = files_.find(file);
  if (found != files_.end() && found->second.ranges.empty() && found->second.queue.empty()) files_.erase(found);
}

void LockTable::forget_if_empty(uint64_t session) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end() && found->second.empty()) sessions_.erase(found);
}

size_t LockTable::locks() {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const auto& [key, file] : files_) count += file.ranges.count();
  return count;
}

size_t LockTable::waits() {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const auto& [key, file] : files_) count += file.queue.size();
  return count;
}

std::vector<LockRanges::Range> LockTable::locks_of(InodeId id, LockSpace space) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find({id, space});
  return found == files_.end() ? std::vector<LockRanges::Range>() : found->second.ranges.all();
}

}  // namespace forebay::meta
