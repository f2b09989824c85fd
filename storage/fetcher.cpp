#include "storage/fetcher.h"

#include <algorithm>

#include "core/log.h"
#include "storage/server.h"

namespace forebay::storage {

void Fetcher::enqueue(const std::shared_ptr<ChunkFile>& file) {
  {
    const std::lock_guard lock(file->fetch_mutex);
    if (file->queued) return;
    file->queued = true;
  }
  queue_.push(file);
}

void Fetcher::work(const std::shared_ptr<ChunkFile>& file) {
  {
    const std::lock_guard lock(file->fetch_mutex);
    file->queued = false;
  }
  uint64_t chunk = 0;
  if (!pick(*file, &chunk)) return;
  enqueue(file);
  const Status done = server_.fetch_chunk(*file, chunk);
  if (done) return;
  // The reader that needs this chunk meets the same error and reports it; reading ahead just ends.
  log(Module::kStorage).debug("inode {}: read-ahead ends: {}", file->id(), done.error().message());
  queue_.remove(file);
  const std::lock_guard lock(file->fetch_mutex);
  file->queued = false;
}

bool Fetcher::pick(ChunkFile& file, uint64_t* chunk) {
  const std::lock_guard fetch_lock(file.fetch_mutex);
  if (file.opens == 0) return false;
  const std::shared_lock lock(file.mutex);
  const uint64_t chunk_size = file.stripe().chunk_bytes;
  // A file that is large against the cache is fetched within a window in front of its reader, others whole.
  const bool windowed = file.base() > server_.options_.capacity_bytes / 4 && !file.in_use();
  const uint64_t limit = windowed ? file.read_position + file.window : file.base();
  for (const uint64_t start : {file.read_position, uint64_t{0}}) {
    Extent missing;
    for (uint64_t at = start; at < limit && file.next_missing(at, &missing) && missing.begin < limit;) {
      *chunk = missing.begin / chunk_size;
      if (!file.in_flight.contains(*chunk)) return true;
      at = (*chunk + 1) * chunk_size;
    }
    if (windowed) return false;
  }
  return false;
}

}  // namespace forebay::storage
