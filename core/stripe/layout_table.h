// LayoutTable: what a client has open, and where the chunks are, as the metadata server has said.
#pragma once

#include <fcntl.h>

#include <memory>
#include <mutex>
#include <numeric>
#include <unordered_map>

#include "core/protocol/types.h"

namespace forebay {

class LayoutTable {
 public:
  // A file was opened; as many remove() with the same access mode follow. Thread safe, like all of these.
  void add(InodeId id, int flags, const Layout& layout) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[id];
    ++entry.handles.at(flags & O_ACCMODE);
    set(entry, layout);
  }
  void remove(InodeId id, int flags) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    HandleCounts& handles = found->second.handles;
    --handles.at(flags & O_ACCMODE);
    if (std::accumulate(handles.begin(), handles.end(), uint64_t{0}) == 0) entries_.erase(found);
  }
  // It lies elsewhere from now on.
  void update(InodeId id, const Layout& layout) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found != entries_.end()) set(found->second, layout);
  }
  // Null for a file that is not open.
  std::shared_ptr<const Layout> find(InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second.layout;
  }
  HandleCounts handles(InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    return found == entries_.end() ? HandleCounts{} : found->second.handles;
  }

 private:
  struct Entry {
    std::shared_ptr<const Layout> layout;
    HandleCounts handles{};
  };
  static void set(Entry& entry, const Layout& layout) {
    if (entry.layout == nullptr || !(*entry.layout == layout)) entry.layout = std::make_shared<const Layout>(layout);
  }

  std::mutex mutex_;
  std::unordered_map<InodeId, Entry> entries_;
};

}  // namespace forebay
