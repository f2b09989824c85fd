#include "core/transport/reply_cache.h"

namespace forebay::transport {

std::shared_ptr<const ReplyCache::Reply> ReplyCache::begin(uint64_t session, uint64_t request) {
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  std::unique_lock lock(mutex_);
  for (bool in_time = true;;) {
    const auto [at, is_new] = sessions_[session].replies.try_emplace(request, nullptr);
    if (is_new) return nullptr;
    if (at->second != nullptr) return at->second;
    if (!in_time) return std::make_shared<const Reply>(Reply{{ETIMEDOUT, "it is still being done"}, {}});
    in_time = made_.wait_until(lock, deadline) == std::cv_status::no_timeout;
  }
}

void ReplyCache::finish(uint64_t session, uint64_t request, Reply reply) {
  {
    const std::lock_guard lock(mutex_);
    Session& known = sessions_[session];
    known.replies[request] = std::make_shared<const Reply>(std::move(reply));
    known.finished.push_back(request);
    while (known.finished.size() > kMostPerSession) {
      known.replies.erase(known.finished.front());
      known.finished.pop_front();
    }
  }
  made_.notify_all();
}

void ReplyCache::abandon(uint64_t session, uint64_t request) {
  {
    const std::lock_guard lock(mutex_);
    sessions_[session].replies.erase(request);
  }
  made_.notify_all();
}

void ReplyCache::forget(uint64_t session) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(session);
}

}  // namespace forebay::transport
