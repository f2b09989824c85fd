// Fetcher: the threads that bring files in behind the reader's back (stage two of a fetch).
//
// A queue of files, each at most once. A thread takes the first, picks its next missing chunk in front of the reader,
// puts the file back at the end of the queue, and fetches the chunk: so several chunks of one file are under way at
// once, and many files share the threads fairly. A reader never waits here: it fetches its own chunk itself.
#pragma once

#include <limits>
#include <memory>

#include "core/work_queue.h"
#include "storage/chunk_file.h"

namespace forebay::storage {

class StorageServer;

class Fetcher {
 public:
  explicit Fetcher(StorageServer& server) : server_(server) {}

  void start(uint32_t threads) { queue_.start(threads); }
  void stop() { queue_.stop(); }
  bool stopped() const { return queue_.stopped(); }

  // Queues the file unless it is queued. Bounded by the number of open files.
  void enqueue(const std::shared_ptr<ChunkFile>& file);

 private:
  void work(const std::shared_ptr<ChunkFile>& file);
  // The next chunk worth fetching; false when there is none (for now).
  bool pick(ChunkFile& file, uint64_t* chunk);

  StorageServer& server_;
  WorkQueue<std::shared_ptr<ChunkFile>> queue_{[this](const std::shared_ptr<ChunkFile>& file) { work(file); },
                                               std::numeric_limits<size_t>::max()};
};

}  // namespace forebay::storage
