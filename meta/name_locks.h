// NameLocks: who makes, moves, replaces or removes a name has it to himself.
//
// What is known of the object at a name (its copy, its records) must be of that which the change then hits. Clients of
// one mount come one by one, since their kernel locks the directory; clients of several mounts do not.
//
// Nobody waits in a circle: one call takes all names that a request needs at a server; a request that holds one of
// another server only tries.
//
// What was seen at a name (SeenNames) does not count any more from then on.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/protocol/types.h"
#include "meta/seen_names.h"

namespace forebay::meta {

// Thread safe. Held before all other locks.
class NameLocks {
 public:
  using Name = std::pair<InodeId, std::string>;  // of a directory

  explicit NameLocks(SeenNames& seen) : seen_(seen) {}

  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept : locks_(std::exchange(other.locks_, nullptr)), names_(std::move(other.names_)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() { end(); }
    explicit operator bool() const { return locks_ != nullptr; }
    void end() {
      if (locks_ != nullptr) std::exchange(locks_, nullptr)->free(names_);
    }

   private:
    friend class NameLocks;
    Hold(NameLocks& locks, std::vector<Name> names) : locks_(&locks), names_(std::move(names)) {}
    NameLocks* locks_ = nullptr;
    std::vector<Name> names_;
  };

  Hold hold(std::vector<Name> names) {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return take(names); });
    return Hold(*this, std::move(names));
  }
  Hold hold(InodeId directory, std::string_view name) { return hold({{directory, std::string(name)}}); }
  // False: somebody has one of them.
  Hold try_hold(std::vector<Name> names) {
    const std::lock_guard lock(mutex_);
    return take(names) ? Hold(*this, std::move(names)) : Hold();
  }
  bool is_held(InodeId directory, std::string_view name) {
    const std::lock_guard lock(mutex_);
    return held_.contains({directory, std::string(name)});
  }

 private:
  // All or none; a name that is there twice is one.
  bool take(const std::vector<Name>& names) {
    for (const Name& name : names) {
      if (held_.contains(name)) return false;
    }
    held_.insert(names.begin(), names.end());
    for (const auto& [directory, name] : names) seen_.forget(directory, name);
    return true;
  }
  void free(const std::vector<Name>& names) {
    {
      const std::lock_guard lock(mutex_);
      for (const Name& name : names) held_.erase(name);
    }
    freed_.notify_all();
  }

  SeenNames& seen_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::set<Name> held_;  // one or two for each request that is served
};

}  // namespace forebay::meta
