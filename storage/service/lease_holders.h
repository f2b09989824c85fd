// LeaseHolders: which session holds which leases, so that they end when their holder is gone, and nobody ends
// another's.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/protocol/types.h"

namespace forebay::storage {

// Thread safe.
class LeaseHolders {
 public:
  using Leases = std::map<std::pair<TargetId, InodeId>, uint64_t>;  // how many of each

  void began(uint64_t session, TargetId target, InodeId id) {
    const std::lock_guard lock(mutex_);
    ++sessions_[session][{target, id}];
  }
  // False: it held none.
  bool ended(uint64_t session, TargetId target, InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto holder = sessions_.find(session);
    if (holder == sessions_.end()) return false;
    const auto lease = holder->second.find({target, id});
    if (lease == holder->second.end()) return false;
    if (--lease->second == 0) holder->second.erase(lease);
    if (holder->second.empty()) sessions_.erase(holder);
    return true;
  }
  // All of the session's; it holds none any more.
  Leases end(uint64_t session) {
    const std::lock_guard lock(mutex_);
    auto node = sessions_.extract(session);
    return node ? std::move(node.mapped()) : Leases{};
  }

 private:
  std::mutex mutex_;
  std::unordered_map<uint64_t, Leases> sessions_;
};

}  // namespace forebay::storage
