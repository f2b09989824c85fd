// LeaseWatch: looks many times a second at the files that applications may write unseen: whether they did, whether they
// still can, and what is left of the disk. Sleeps while there are none.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "storage/chunk_file.h"

namespace forebay::storage {

class LeaseWatch {
 public:
  // `look` is called for each file in turn, without a lock; false when it need not be watched any more.
  explicit LeaseWatch(std::function<bool(ChunkFile&)> look) : look_(std::move(look)) {}
  ~LeaseWatch() { stop(); }

  void start();
  void stop();

  void add(const std::shared_ptr<ChunkFile>& file);
  // Nobody may write to the file unseen any more, unless it was lent again.
  void settled(const ChunkFile& file);
  size_t count() const;
  // Looks at all files now.
  void look_at_all();

 private:
  void run();

  const std::function<bool(ChunkFile&)> look_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::unordered_map<InodeId, std::shared_ptr<ChunkFile>> files_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace forebay::storage
