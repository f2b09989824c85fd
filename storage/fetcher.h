// Fetcher: the threads that bring files in behind the reader's back (stage two of a fetch).
//
// A queue of files, each at most once. A thread takes the first, picks its next missing chunk in front of the reader,
// puts the file back at the end of the queue, and fetches the chunk: so several chunks of one file are under way at
// once, and many files share the threads fairly. A reader never waits here: it fetches its own chunk itself.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/chunk_file.h"

namespace forebay::storage {

class StorageServer;

class Fetcher {
 public:
  explicit Fetcher(StorageServer& server) : server_(server) {}
  ~Fetcher() { stop(); }

  void start(uint32_t threads);
  void stop();
  bool stopped() const { return stopped_; }

  // Queues the file unless it is queued. Bounded by the number of open files.
  void enqueue(const std::shared_ptr<ChunkFile>& file);

 private:
  void run();
  // The next chunk worth fetching; false when there is none (for now).
  bool pick(ChunkFile& file, uint64_t* chunk);

  StorageServer& server_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<ChunkFile>> queue_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopped_{false};
};

}  // namespace forebay::storage
