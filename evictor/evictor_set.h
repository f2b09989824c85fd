// EvictorSet: an evictor for each target, because a target that is full gets no room from files on another.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/protocol/types.h"
#include "evictor/evictor.h"

namespace forebay::evictor {

class EvictorSet {
 public:
  // `make`: an evictor for one target, not started yet.
  explicit EvictorSet(std::function<std::unique_ptr<Evictor>(TargetId)> make) : make_(std::move(make)) {}
  ~EvictorSet() { stop(); }

  // From here on evictors work in the background.
  void start();
  void stop();

  // Made when it is asked for first. Thread safe, like all of these.
  Evictor& of(TargetId target);
  // Null: no file that we know has data there.
  Evictor* find(TargetId target);
  // A file was used that has data on these targets.
  void touch(const std::vector<TargetId>& targets, InodeId id);
  // A file has no data any more.
  void remove(InodeId id);
  uint64_t evicted_bytes();

 private:
  const std::function<std::unique_ptr<Evictor>(TargetId)> make_;
  std::mutex mutex_;
  bool started_ = false;
  std::map<TargetId, std::unique_ptr<Evictor>> evictors_;  // none is ever taken out
};

}  // namespace forebay::evictor
