#include "storage/lease_watch.h"

#include <vector>

namespace forebay::storage {

void LeaseWatch::start() {
  thread_ = std::thread([this] { run(); });
}

void LeaseWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LeaseWatch::add(const std::shared_ptr<ChunkFile>& file) {
  bool sleeps = false;
  {
    const std::lock_guard lock(mutex_);
    sleeps = files_.empty();
    files_[file->id()] = file;
  }
  if (sleeps) wake_.notify_all();
}

void LeaseWatch::settled(const ChunkFile& file) {
  const std::lock_guard lock(mutex_);
  if (!file.may_be_written()) files_.erase(file.id());
}

size_t LeaseWatch::count() const {
  const std::lock_guard lock(mutex_);
  return files_.size();
}

void LeaseWatch::look_at_all() {
  std::vector<std::shared_ptr<ChunkFile>> files;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, file] : files_) files.push_back(file);
  }
  for (const std::shared_ptr<ChunkFile>& file : files) {
    if (!look_(*file)) settled(*file);
  }
}

void LeaseWatch::run() {
  // At 2 GB/s an unchecked writer fills 100 MB meanwhile: the headroom is a multiple of that.
  constexpr std::chrono::milliseconds kPause{50};
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (files_.empty()) {
      wake_.wait(lock);
      continue;
    }
    lock.unlock();
    look_at_all();
    lock.lock();
    wake_.wait_for(lock, kPause, [this] { return stopped_; });
  }
}

}  // namespace forebay::storage
