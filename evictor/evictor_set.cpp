#include "evictor/evictor_set.h"

namespace forebay::evictor {

void EvictorSet::start() {
  const std::lock_guard lock(mutex_);
  started_ = true;
  for (const auto& [target, evictor] : evictors_) evictor->start();
}

// They are stopped without the lock: what they are at may ask for one of them.
void EvictorSet::stop() {
  std::vector<Evictor*> all;
  {
    const std::lock_guard lock(mutex_);
    started_ = false;
    for (const auto& [target, evictor] : evictors_) all.push_back(evictor.get());
  }
  for (Evictor* evictor : all) evictor->stop();
}

Evictor& EvictorSet::of(TargetId target) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Evictor>& evictor = evictors_[target];
  if (evictor == nullptr) {
    evictor = make_(target);
    if (started_) evictor->start();
  }
  return *evictor;
}

Evictor* EvictorSet::find(TargetId target) {
  const std::lock_guard lock(mutex_);
  const auto found = evictors_.find(target);
  return found == evictors_.end() ? nullptr : found->second.get();
}

void EvictorSet::touch(const std::vector<TargetId>& targets, InodeId id) {
  for (const TargetId target : targets) of(target).touch(id);
}

void EvictorSet::remove(InodeId id) {
  const std::lock_guard lock(mutex_);
  for (const auto& [target, evictor] : evictors_) evictor->remove(id);
}

uint64_t EvictorSet::evicted_bytes() {
  const std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (const auto& [target, evictor] : evictors_) bytes += evictor->evicted_bytes();
  return bytes;
}

}  // namespace forebay::evictor
