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
    remove(found, flags);
  }
  // A handle for reading that the metadata server has not heard of. False: as far as other handles know the file lies
  // elsewhere; none was added.
  bool add_untold(InodeId id, const Layout& layout) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[id];
    if (entry.layout != nullptr && !(*entry.layout == layout)) return false;
    ++entry.handles.at(O_RDONLY);
    ++entry.untold;
    set(entry, layout);
    return true;
  }
  // Such a handle is closed. False: all are told, and nothing was removed.
  bool remove_untold(InodeId id, int flags) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if ((flags & O_ACCMODE) != O_RDONLY || found == entries_.end() || found->second.untold == 0) return false;
    --found->second.untold;
    remove(found, flags);
    return true;
  }
  bool has_untold(InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    return found != entries_.end() && found->second.untold > 0;
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
  // All handles of the file, for the metadata server to hear of: from now on none is untold.
  HandleCounts tell_handles(InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return {};
    found->second.untold = 0;
    return found->second.handles;
  }

 private:
  struct Entry {
    std::shared_ptr<const Layout> layout;
    HandleCounts handles{};
    uint64_t untold = 0;  // of those for reading
  };
  using Entries = std::unordered_map<InodeId, Entry>;

  void remove(Entries::iterator found, int flags) {
    HandleCounts& handles = found->second.handles;
    --handles.at(flags & O_ACCMODE);
    if (std::accumulate(handles.begin(), handles.end(), uint64_t{0}) == 0) entries_.erase(found);
  }
  static void set(Entry& entry, const Layout& layout) {
    if (entry.layout == nullptr || !(*entry.layout == layout)) entry.layout = std::make_shared<const Layout>(layout);
  }

  std::mutex mutex_;
  Entries entries_;
};

}  // namespace forebay
