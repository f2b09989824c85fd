// Open files are looked at outside every attr_ttl: who reads what the client's page cache holds, or what it maps, asks
// for nothing, and would never see that the file is another by now.
#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

void MetaServer::add_open_file(const InodePtr& inode) {
  {
    const std::lock_guard lock(open_files_mutex_);
    open_files_[inode->id] = inode;
    if (open_files_.size() > 1) return;
  }
  open_files_wake_.notify_one();
}

void MetaServer::remove_open_file(InodeId id) {
  const std::lock_guard lock(open_files_mutex_);
  open_files_.erase(id);
}

void MetaServer::watch_open_files() {
  constexpr std::chrono::milliseconds kShortest{100}, kLongestPause{500};
  constexpr int kPassesPerTtl = 4;
  const auto ttl = std::max(kShortest, config_.consistency.attr_ttl);
  const auto pause = std::min(ttl / kPassesPerTtl, kLongestPause);
  std::unique_lock lock(open_files_mutex_);
  while (watching_) {
    open_files_wake_.wait(lock, [this] { return !watching_ || !open_files_.empty(); });
    open_files_wake_.wait_for(lock, pause, [this] { return !watching_; });
    lock.unlock();
    look_at_open_files(ttl - pause);
    lock.lock();
  }
}

void MetaServer::look_at_open_files(std::chrono::milliseconds age) {
  std::vector<InodePtr> files;
  {
    const std::lock_guard lock(open_files_mutex_);
    files.reserve(open_files_.size());
    for (const auto& [id, inode] : open_files_) files.push_back(inode);
  }
  const auto oldest = std::chrono::steady_clock::now() - age;
  for (const InodePtr& inode : files) {
    record_open(inode);
    {
      const std::lock_guard lock(inode->mutex);
      // What is newer here is compared by its flush.
      if (inode->dirty || inode->unlinked || inode->validated_at > oldest) continue;
    }
    (void)refresh(inode, true);  // an error is told to who asks for something
    const std::lock_guard lock(open_files_mutex_);
    if (!watching_) return;
  }
}

// Who has it open may go on after a restart: also of a new file, of which nothing else needs a record.
void MetaServer::record_open(const InodePtr& inode) {
  if (!placement_.is_cluster()) return;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->stored || inode->unlinked) return;
  }
  if (Status put = put_chain(inode, 0); !put) log(Module::kMeta).error("{}", put.error().message());
}

}  // namespace forebay::meta
