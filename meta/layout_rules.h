// LayoutRules: what directories say about the layout of files below them. They are few, and all in memory.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "core/protocol/types.h"
#include "meta/store.h"

namespace forebay::meta {

class LayoutRules {
 public:
  // `store` outlives this.
  explicit LayoutRules(Store& store) : store_(store) {}

  // Reads them all. Before anything else.
  Status load();
  // True if there is none at all, which is the rule. Thread safe, like the rest.
  bool empty() const { return count_ == 0; }
  std::optional<LayoutRule> find(InodeId directory);
  // The directory has a row in the database. None: it has no rule of its own any more. In the database after the next
  // commit.
  Status set(InodeId directory, const std::optional<LayoutRule>& rule);

 private:
  Store& store_;
  std::mutex mutex_;
  std::unordered_map<InodeId, LayoutRule> rules_;
  std::atomic<size_t> count_{0};
};

}  // namespace forebay::meta
