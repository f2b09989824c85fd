// LayoutTable: where the chunks of open files are, as their metadata server said when they were opened.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/protocol/types.h"

namespace forebay {

class LayoutTable {
 public:
  // A file was opened; as many remove() follow. Thread safe, like all of these.
  void add(InodeId id, const Layout& layout) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[id];
    ++entry.opens;
    if (entry.layout == nullptr || !(*entry.layout == layout)) entry.layout = std::make_shared<const Layout>(layout);
  }
  void remove(InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found != entries_.end() && --found->second.opens == 0) entries_.erase(found);
  }
  // Null for a file that is not open.
  std::shared_ptr<const Layout> find(InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second.layout;
  }

 private:
  struct Entry {
    std::shared_ptr<const Layout> layout;
    uint64_t opens = 0;
  };
  std::mutex mutex_;
  std::unordered_map<InodeId, Entry> entries_;
};

}  // namespace forebay
