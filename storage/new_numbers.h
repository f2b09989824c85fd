// NewNumbers: which files may still be new here.
//
// A client that has made a file tells its target what the metadata server knew of it then (CachingFileRequest::run).
// That may come late. Meanwhile others may have opened the file: then it is known here. Or the target has answered that
// it has nothing newer of it, and is believed; or it has had data of it, and they are gone again. Such numbers have
// passed. Numbers of one metadata server grow, so the highest of them is kept, and none below it counts as new either:
// who is refused in vain asks the metadata server. Thread safe.
#pragma once

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "core/protocol/types.h"

namespace forebay::storage {

class NewNumbers {
 public:
  void passed(InodeId id) {
    const std::lock_guard lock(mutex_);
    InodeId& highest = highest_[owner_of(id)];
    highest = std::max(highest, id);
  }
  bool may_be_new(InodeId id) {
    const std::lock_guard lock(mutex_);
    const auto found = highest_.find(owner_of(id));
    return found == highest_.end() || id > found->second;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<uint32_t, InodeId> highest_;  // by metadata server
};

}  // namespace forebay::storage
