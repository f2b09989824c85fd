#include "cachefs/lock_waits.h"

#include <chrono>
#include <system_error>

#include "cachefs/caller_state.h"
#include "cachefs/session.h"
#include "core/processor.h"

namespace forebay::cachefs {
namespace {

LockNews all_failed(const Error& error, size_t waits) {
  LockNews news;
  for (size_t i = 0; i < waits; ++i) news.answers.push_back({i, error.code});
  return news;
}

}  // namespace

LockWaits::LockWaits(MetaService& meta)
    : meta_(meta), interrupted_([this](uint64_t number) { take_back(number); }, kMostWaits) {}

void LockWaits::wait_for(fuse_req_t request, const LockRequest& lock) {
  uint64_t number = 0;
  const Status apart = session_of(request).ring.let_another_answer();
  if (apart) {
    const std::lock_guard guard(mutex_);
    if (!stopping_ && waits_.size() < kMostWaits && start_asker(owner_of(lock.id))) {
      number = next_++;
      waits_[number] = {request, lock};
    }
  }
  if (number == 0) return reply_error(request, {ENOLCK, "too many programs wait for locks"});
  // Before the server is asked: a signal that comes meanwhile is remembered.
  fuse_req_interrupt_func(request, on_interrupt, reinterpret_cast<void*>(number));
  if (RingTransport::serves_this_thread() && was_interrupted_early(fuse_req_ctx(request)->pid)) interrupt(number);
  ask(number, lock);
}

void LockWaits::ask(uint64_t number, const LockRequest& lock) {
  const Result<bool> granted = meta_.lock(lock, true);
  if (!granted) return end(number, granted.error().code);
  if (*granted) return end(number, 0);
  const std::lock_guard guard(mutex_);
  Wait& wait = waits_.at(number);
  if (wait.interrupted) return interrupted_.push(number);
  wait.busy = false;
  changed_.notify_all();
}

// Called by libfuse, with locks of its own.
void LockWaits::on_interrupt(fuse_req_t request, void* number) {
  session_of(request).lock_waits.interrupt(reinterpret_cast<uint64_t>(number));
}

void LockWaits::interrupt(uint64_t number) {
  const std::lock_guard guard(mutex_);
  const auto found = waits_.find(number);
  if (found == waits_.end()) return;  // it was answered at this moment
  Wait& wait = found->second;
  wait.interrupted = true;
  if (wait.busy) return;  // who asks for it sees that
  wait.busy = true;
  interrupted_.push(number);
}

// If the lock was set at this moment, the program has it, and is told so.
void LockWaits::take_back(uint64_t number) {
  LockRequest lock;
  {
    const std::lock_guard guard(mutex_);
    lock = waits_.at(number).lock;
  }
  const Result<bool> is_set = meta_.cancel_lock(lock);
  end(number, is_set && *is_set ? 0 : EINTR);
}

void LockWaits::end(uint64_t number, int code) {
  fuse_req_t request = nullptr;
  {
    const std::lock_guard guard(mutex_);
    const auto found = waits_.find(number);
    request = found->second.request;
    waits_.erase(found);
  }
  reply_error(request, {code, {}});
}

bool LockWaits::start_asker(uint32_t server) {
  if (askers_.contains(server)) return true;
  if (askers_.size() >= kMostServers) return false;
  auto asker = std::make_unique<Asker>();
  try {
    if (!interrupts_) interrupted_.start(1);
    interrupts_ = true;
    Asker& added = *asker;
    asker->thread = std::thread([this, server, &added] { run(server, added); });
  } catch (const std::system_error&) {  // a limit on processes
    return false;
  }
  askers_[server] = std::move(asker);
  return true;
}

void LockWaits::collect(uint32_t server, std::vector<uint64_t>& numbers, std::vector<LockRequest>& locks) {
  numbers.clear();
  locks.clear();
  for (const auto& [number, wait] : waits_) {
    if (wait.busy || owner_of(wait.lock.id) != server) continue;
    numbers.push_back(number);
    locks.push_back(wait.lock);
  }
}

void LockWaits::run(uint32_t server, Asker& asker) {
  // A server that is busy answers at once; then this long until the next question.
  constexpr std::chrono::milliseconds kLimit{1000}, kAtOnce{50}, kPause{100};
  leave_processor();
  std::vector<uint64_t> numbers;
  std::vector<LockRequest> locks;
  std::unique_lock guard(mutex_);
  while (!stopping_) {
    collect(server, numbers, locks);
    if (numbers.empty()) {
      changed_.wait(guard);
      continue;
    }
    guard.unlock();
    const auto began = std::chrono::steady_clock::now();
    Result<LockNews> news = meta_.await_locks(locks, asker.ended, kLimit);
    const bool at_once = std::chrono::steady_clock::now() - began < kAtOnce;
    if (!news) news = all_failed(news.error(), numbers.size());
    const bool nothing = news->answers.empty() && news->ended == asker.ended;
    asker.ended = news->ended;
    take_news(*news, numbers);
    guard.lock();
    if (nothing && at_once && !stopping_) changed_.wait_for(guard, kPause);
  }
}

void LockWaits::take_news(const LockNews& news, const std::vector<uint64_t>& numbers) {
  for (const LockAnswer& answer : news.answers) {
    const uint64_t number = numbers[answer.wait];
    LockRequest lock;
    {
      const std::lock_guard guard(mutex_);
      const auto found = waits_.find(number);
      if (found == waits_.end() || found->second.busy) continue;  // it is being taken back
      found->second.busy = true;
      lock = found->second.lock;
    }
    answer.code == EAGAIN ? ask(number, lock) : end(number, answer.code);
  }
}

void LockWaits::stop() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  interrupted_.stop();
  for (auto& [server, asker] : askers_) asker->thread.join();
  askers_.clear();
  for (const auto& [number, wait] : waits_) reply_error(wait.request, {ENOLCK, "the mount ends"});
  waits_.clear();
}

}  // namespace forebay::cachefs
