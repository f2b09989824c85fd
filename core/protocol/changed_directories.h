// ChangedDirectories: the attributes of directories as the last change of a name by this client left them.
//
// The kernel forgets what it knows of a directory when it has changed a name there, and asks for it with the next
// change, since it must know the mode. So a server adds the attributes to the reply of each change; they wait here for
// that question, and answer it once. They count as any kept answer does (meta/answer_leases.h): for a time, and until
// there is news. The kernel changes a directory's names and attributes one after the other, so a change here is of
// nobody else.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>

#include "core/protocol/meta_service.h"

namespace forebay {

// Thread safe.
class ChangedDirectories {
 public:
  using Clock = std::chrono::steady_clock;
  struct Change {
    InodeId directory = 0;
    uint64_t news = 0;
    Clock::time_point began;
  };

  // Before the change is asked for: what is here of the directory is of before.
  Change begin(InodeId directory) {
    const std::lock_guard lock(mutex_);
    kept_.erase(directory);
    return {directory, news_, Clock::now()};
  }
  // It is done, and the reply said so much of the directory. What is known for no time is not kept.
  void end(const Change& change, const AttributesReply& attributes) {
    const auto until = change.began + std::min<std::chrono::milliseconds>(attributes.valid_for, kLongestKept);
    const std::lock_guard lock(mutex_);
    if (news_ != change.news || until <= Clock::now()) return;  // news may have come before the reply that it is of
    if (kept_.size() >= kMostKept) kept_.clear();
    kept_[change.directory] = {attributes.attributes, until};
  }
  // Takes it out.
  std::optional<AttributesReply> take(InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(id);
    if (found == kept_.end()) return {};
    const Kept kept = found->second;
    kept_.erase(found);
    const auto left = std::chrono::floor<std::chrono::milliseconds>(kept.until - Clock::now());
    if (left <= std::chrono::milliseconds::zero()) return {};
    return AttributesReply{kept.attributes, left, {}};
  }
  // News of these.
  void forget(std::span<const InodeId> ids) {
    const std::lock_guard lock(mutex_);
    ++news_;
    for (const InodeId id : ids) kept_.erase(id);
  }
  void forget_all() {
    const std::lock_guard lock(mutex_);
    ++news_;
    kept_.clear();
  }

 private:
  static constexpr size_t kMostKept = 1024;
  struct Kept {
    Attributes attributes;
    Clock::time_point until;
  };
  std::mutex mutex_;
  uint64_t news_ = 0;
  std::unordered_map<InodeId, Kept> kept_;
};

}  // namespace forebay
