#include "cachefs/tell_queue.h"

#include <chrono>
#include <utility>

#include "core/processor.h"

namespace forebay::cachefs {
namespace {

constexpr std::chrono::milliseconds kPatience{5};
// Of those that wait; whoever has one more tells of all.
constexpr size_t kMostWaiting = 1000;

}  // namespace

Status tell_handles(MetaService& meta, LayoutTable& layouts, InodeId id) {
  ASSIGN_OR_RETURN(const Layout layout, meta.reopen({}, id, layouts.tell_handles(id)));
  layouts.update(id, layout);
  return {};
}

TellQueue::~TellQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void TellQueue::forget(InodeId id, uint64_t count) {
  std::unique_lock lock(mutex_);
  waiting_.forgotten.push_back({id, count});
  pushed(std::move(lock));
}

void TellQueue::opened(InodeId id) {
  std::unique_lock lock(mutex_);
  waiting_.opened.push_back(id);
  pushed(std::move(lock));
}

void TellQueue::release(InodeId id, int flags, bool leased) {
  std::unique_lock lock(mutex_);
  waiting_.released.push_back({id, flags});
  if (leased) waiting_.lent.push_back(id);
  pushed(std::move(lock));
}

void TellQueue::pushed(std::unique_lock<std::mutex> lock) {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  const size_t count = waiting_.count();
  if (count == 1) wake_.notify_one();
  lock.unlock();
  if (count > kMostWaiting) tell_now();
}

void TellQueue::tell_now() {
  const std::lock_guard telling(telling_);
  Waiting all;
  {
    const std::lock_guard lock(mutex_);
    all = std::exchange(waiting_, {});
  }
  tell(std::move(all));
}

void TellQueue::end() {
  {
    const std::lock_guard lock(mutex_);
    waiting_.forgotten.clear();
    waiting_.opened.clear();
  }
  tell_now();
}

// A handle counts until its server knows that it is closed: one that is started anew asks for all.
void TellQueue::tell(Waiting all) {
  if (!all.lent.empty()) storage_.end_leases(all.lent);
  for (Released& each : all.released) each.told = !layouts_->remove_untold(each.id, each.flags);
  if (!all.released.empty()) meta_.release_many(all.released);
  for (const Released& each : all.released) {
    if (each.told) layouts_->remove(each.id, each.flags);
  }
  // That a file is gone by now (ESTALE) is no harm: who has it open reads its chunk file. Neither is a server that is
  // away, which knows of no handle when it comes back; but it is not waited for once for each file.
  for (const InodeId id : all.opened) {
    const Status told = layouts_->has_untold(id) ? tell_handles(meta_, *layouts_, id) : Status{};
    if (!told && told.error().code != ESTALE) break;
  }
  if (!all.forgotten.empty()) meta_.forget_many(all.forgotten);
}

void TellQueue::run() {
  leave_processor();
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || waiting_.count() > 0; });
    wake_.wait_for(lock, kPatience, [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    tell_now();
    lock.lock();
  }
}

}  // namespace forebay::cachefs
