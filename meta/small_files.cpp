#include "meta/small_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

void SmallFiles::start(uint32_t threads) {
  for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void SmallFiles::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void SmallFiles::add(InodeId id) {
  constexpr size_t kMostWaiting = 65'536;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || threads_.empty() || queue_.size() >= kMostWaiting) return;
    queue_.push_back(id);
  }
  wake_.notify_one();
}

void SmallFiles::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    if (stopped_) return;
    const InodeId id = queue_.front();
    queue_.pop_front();
    lock.unlock();
    fetch_(id);
    lock.lock();
  }
}

// An entry of a listing that somebody has just got.
void MetaServer::listed(const EntryReply& entry) {
  const Attributes& attributes = entry.attributes;
  const bool small = attributes.size > 0 && attributes.size <= config_.fetch.small_files_bytes;
  if (!small || !S_ISREG(attributes.mode)) return;
  const InodePtr inode = inodes_.find(entry.id);
  if (inode == nullptr) return;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->cached || inode->dirty || inode->opens > 0) return;
  }
  small_files_.add(entry.id);
}

void MetaServer::fetch_small(InodeId id) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return;  // forgotten meanwhile: nobody is there any more
  Status fetched;
  if (const Result<OpenReply> opened = open_inode(inode, O_RDONLY, false); opened) {
    constexpr std::chrono::seconds kLongest{60};
    fetched = storage_.fetch_all(id, kLongest);
    release(id, O_RDONLY);
  } else {
    fetched = Failure(opened.error());
  }
  // Who reads the file meets the same error, and is told.
  if (!fetched) log(Module::kMeta).debug("inode {}: not fetched ahead: {}", id, fetched.error().message());
}

}  // namespace forebay::meta
