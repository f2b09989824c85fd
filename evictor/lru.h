// Lru: files in the order of their last use.
//
// A list from the least to the most recently used, and a hash map from the file to its place in it: touch() moves to
// the end in O(1). Not thread safe.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <vector>

#include "core/protocol/types.h"

namespace forebay::evictor {

class Lru {
 public:
  // Makes `id` the most recently used; adds it if need be.
  void touch(InodeId id) {
    const auto it = places_.find(id);
    if (it == places_.end()) {
      places_.emplace(id, order_.insert(order_.end(), id));
    } else {
      order_.splice(order_.end(), order_, it->second);
    }
  }

  void remove(InodeId id) {
    const auto it = places_.find(id);
    if (it == places_.end()) return;
    order_.erase(it->second);
    places_.erase(it);
  }

  bool contains(InodeId id) const { return places_.contains(id); }
  size_t size() const { return places_.size(); }

  // All of them, least recently used first; at most `count`.
  std::vector<InodeId> oldest(size_t count) const {
    std::vector<InodeId> ids;
    for (auto it = order_.begin(); it != order_.end() && ids.size() < count; ++it) ids.push_back(*it);
    return ids;
  }

 private:
  std::list<InodeId> order_;
  std::unordered_map<InodeId, std::list<InodeId>::iterator> places_;
};

}  // namespace forebay::evictor
