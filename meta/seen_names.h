// SeenNames: what the outside had at names of directories, for as long as a look counts (attr_ttl). When many clients
// of a cluster look for the same files (a program that starts on all nodes), the outside is asked by the first of them.
//
//   a look begins          the name has an entry that says nothing yet, unless somebody is changing it
//   a change begins        the entry goes (NameLocks)
//   the look ends          its answer is noted if the entry is still there
//
// So an answer that is noted is of a time when nobody here was changing the name. What the outside changed since is
// seen when the time is over. Thread safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/protocol/types.h"

namespace forebay::meta {

class SeenNames {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // `ttl`: for how long a look counts; zero: none does.
  explicit SeenNames(std::chrono::milliseconds ttl) : ttl_(ttl) {}

  struct Answer {
    InodeId id = 0;  // 0: there is none
    std::chrono::milliseconds valid_for{};
  };
  // What counts. If nothing does, a look begins now: `*look` is its number, to be handed to note() with what it showed
  // (0: it cannot be noted).
  std::optional<Answer> find(InodeId directory, std::string_view name, uint64_t* look);
  void note(InodeId directory, std::string_view name, uint64_t look, InodeId found);

  // A change of ours begins. Looks that begin until it has ended are not to be noted.
  void forget(InodeId directory, std::string_view name);

 private:
  using Name = std::pair<InodeId, std::string>;
  struct NameHash {
    size_t operator()(const Name& name) const {
      return std::hash<std::string>()(name.second) ^ (name.first * 0x9E3779B97F4A7C15);
    }
  };
  struct Entry {
    uint64_t look = 0;
    SteadyTime began_at;
    std::optional<InodeId> found;  // none: the look is under way
  };
  using Entries = std::unordered_map<Name, Entry, NameHash>;
  static constexpr size_t kMostYoung = 65'536;

  // The caller holds mutex_. Null: there is none that counts.
  Entry* entry_of(const Name& name, SteadyTime now);

  const std::chrono::milliseconds ttl_;
  std::mutex mutex_;
  // What is in the older one counts for as long; it goes as a whole when the younger one takes its place.
  Entries young_, old_;
  SteadyTime young_since_{};
  uint64_t last_look_ = 0;
};

}  // namespace forebay::meta
