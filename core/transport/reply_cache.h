// ReplyCache: the last replies to requests that must not be done twice, by client session and number. Who sends one
// again, because its connection broke before the reply came, gets the reply of the first time; if that is still being
// made, he waits for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/result.h"
#include "core/transport/call.h"

namespace forebay::transport {

class ReplyCache {
 public:
  struct Reply {
    Error error{0, {}};
    std::string body;
  };

  // `patience`: for how long one that is being made is waited for; no request takes longer than kLongLimit.
  explicit ReplyCache(std::chrono::milliseconds patience = kLongLimit) : patience_(patience) {}

  // Null: it is new, and the caller will say finish() or abandon(). Otherwise the reply of the first time; ETIMEDOUT if
  // that does not come.
  std::shared_ptr<const Reply> begin(uint64_t session, uint64_t request);
  void finish(uint64_t session, uint64_t request, Reply reply);
  // It was not done, and nobody was told so: who sends it again has it done then.
  void abandon(uint64_t session, uint64_t request);
  // The session is over.
  void forget(uint64_t session);

 private:
  // A client has no more of them under way, on all its connections.
  static constexpr size_t kMostPerSession = 1024;

  const std::chrono::milliseconds patience_;
  struct Session {
    std::unordered_map<uint64_t, std::shared_ptr<const Reply>> replies;  // null while it is being made
    std::deque<uint64_t> finished;                                       // the oldest first
  };
  std::mutex mutex_;
  std::condition_variable made_;
  std::unordered_map<uint64_t, Session> sessions_;
};

}  // namespace forebay::transport
