#include "core/transport/event_pool.h"

#include <sys/epoll.h>

#include <algorithm>
#include <system_error>

#include "core/transport/call.h"
#include "core/transport/handshake.h"

namespace forebay::transport {

Status EventPool::open(int stop, const Serve& serve) {
  if (is_open_) return {};
  const std::lock_guard lock(mutex_);
  if (is_open_) return {};
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return fail_errno("epoll_create1");
  RETURN_IF_ERROR(watch(stop, kStop, EPOLLIN, EPOLL_CTL_ADD));
  serve_ = serve;
  RETURN_IF_ERROR(add_thread());
  is_open_ = true;
  return {};
}

Status EventPool::watch(int descriptor, uint64_t key, uint32_t events, int operation) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), operation, descriptor, &event) != 0) return fail_errno("epoll_ctl");
  return {};
}

void EventPool::unwatch(int descriptor) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr); }

Status EventPool::add_thread() {
  if (ended_) return fail(ESHUTDOWN, "the server ends");
  if (threads_.size() >= options_.most_threads) return fail(EAGAIN, "{} threads", threads_.size());
  ++idle_;  // before it takes that back
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error& refused) {  // a limit on processes
    --idle_;
    return fail(refused.code().value(), "a thread");
  }
  return {};
}

void EventPool::work() {
  const LevelScope level(std::min<uint8_t>(options_.level + 1, kLevels - 1));
  options_.processor == kNoProcessor ? leave_processor() : stay_on_processor(options_.processor);
  while (!ended_) {
    epoll_event event = {};
    if (::epoll_wait(epoll_.get(), &event, 1, -1) <= 0) continue;
    if (event.data.u64 == kStop) break;
    if (--idle_ == 0) {
      const std::lock_guard lock(mutex_);
      (void)add_thread();
    }
    serve_(event.data.u64);
    ++idle_;
  }
  --idle_;
}

void EventPool::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
}

void EventPool::join() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace forebay::transport
