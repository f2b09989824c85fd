// fetch: missing chunks come from the external file (paper 4.3), each reader waiting for its own alone.
#include <unistd.h>

#include <algorithm>

#include "core/io.h"
#include "core/log.h"
#include "storage/server.h"

namespace forebay::storage {
namespace {

// A file that changes outside again and again while it is fetched is read through after this many beginnings.
constexpr int kMostRestarts = 8;

}  // namespace

void StorageServer::start_fetch(InodeId id, uint64_t offset) {
  if (options_.fetch.readahead_bytes == 0) return;
  Result<FilePtr> file = get(id);
  if (!file) return;
  {
    const std::lock_guard lock((*file)->fetch_mutex);
    // The window doubles while reads are sequential and starts small again after a jump.
    const uint64_t chunk = (*file)->stripe().chunk_bytes;
    const uint64_t position = (*file)->stripe().local_below(offset);
    (*file)->window = (*file)->reads_on(position)
                          ? std::min(options_.fetch.readahead_bytes, std::max(2 * chunk, 2 * (*file)->window))
                          : 2 * chunk;
    (*file)->read_position = position;
  }
  fetcher_.enqueue(*file);
}

Status StorageServer::fetch_all(InodeId id, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  {
    // What does not fit would push out its own beginning, for ever.
    const std::shared_lock lock(file->mutex);
    if (file->size() > space_.capacity()) return fail(ENOSPC, "is larger than the cache");
  }
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (uint64_t reached = 0; std::chrono::steady_clock::now() < deadline;) {
    Extent missing;
    {
      const std::shared_lock lock(file->mutex);
      if (!file->next_missing(0, &missing)) return {};
    }
    if (missing.begin < reached) return fail(ENOSPC, "does not fit beside what must stay in the cache");
    reached = missing.begin;
    RETURN_IF_ERROR(fetch_chunk(*file, missing.begin / file->stripe().chunk_bytes));
  }
  return fail(EINPROGRESS);
}

Status StorageServer::fetch_chunk(ChunkFile& file, uint64_t chunk) {
  const uint64_t begin = chunk * file.stripe().chunk_bytes;
  return fetch_part(file, {begin, begin + file.stripe().chunk_bytes});
}

// Who begins to read somewhere waits for little, and the rest of the chunk comes behind its back. Who reads on, and who
// reads a small file, is served best with one round trip for each chunk.
Extent StorageServer::part_for_reader(ChunkFile& file, const Extent& wanted) {
  constexpr uint64_t kLittle = 128 << 10;
  const uint64_t chunk_size = file.stripe().chunk_bytes;
  const uint64_t begin = wanted.begin / chunk_size * chunk_size;
  const Extent chunk{begin, begin + chunk_size};
  const std::lock_guard fetch_lock(file.fetch_mutex);
  const bool reads_on = file.window > 0 && file.reads_on(wanted.begin);
  const std::shared_lock lock(file.mutex);
  if (options_.fetch.readahead_bytes == 0 || reads_on || file.base() <= chunk_size) return chunk;
  const uint64_t unit = std::min(kLittle, chunk_size);
  const uint64_t end = (wanted.end + unit - 1) / unit * unit;
  return {wanted.begin / unit * unit, std::min(end, chunk.end)};
}

Status StorageServer::fetch_part(ChunkFile& file, const Extent& part) {
  const uint64_t chunk = part.begin / file.stripe().chunk_bytes;
  {
    std::unique_lock lock(file.fetch_mutex);
    if (file.in_flight.contains(chunk)) {  // somebody is at it; the caller looks again afterwards
      file.fetched.wait(lock, [&] { return !file.in_flight.contains(chunk) || fetcher_.stopped(); });
      return fetcher_.stopped() ? Status(fail(ECANCELED)) : Status{};
    }
    if (file.restarts > kMostRestarts) return fail(EAGAIN, "inode {}: changes while it is fetched", file.id());
    file.in_flight.insert(chunk);
  }

  const Status done = [&]() -> Status {
    ASSIGN_OR_RETURN(const std::shared_ptr<Source> source, source_of(file));
    std::vector<Extent> missing;
    Validator version;
    {
      const std::shared_lock lock(file.mutex);
      missing = file.missing(part.begin, part.end);
      version = file.version();
    }
    return missing.empty() ? Status{} : fetch_ranges(file, missing, *source, version);
  }();

  {
    const std::lock_guard lock(file.fetch_mutex);
    file.in_flight.erase(chunk);
  }
  file.fetched.notify_all();
  return done ? finish_if_complete(file) : done;
}

Status StorageServer::fetch_ranges(ChunkFile& file, const std::vector<Extent>& ranges, Source& source,
                                   const Validator& version) {
  const uint64_t begin = ranges.front().begin;
  const uint64_t length = ranges.back().end - begin;
  const uint64_t ahead = file.stripe().file_offset(begin) - begin;  // all of it is of one chunk
  ASSIGN_OR_RETURN(const Reservation reservation, reserve(file.id(), length));
  // Only now: making room may flush other files in this thread, through the same buffer.
  const std::span<char> buffer = thread_buffer(length);

  // Holes stay holes: only what the outside says is data is read and written. Where there are none, nothing is asked.
  std::vector<std::pair<Extent, bool>> pieces;  // range, is data
  bool shorter = false;
  for (const Extent& range : ranges) {
    for (uint64_t at = range.begin; at < range.end && !shorter;) {
      const off_t data = source.sparse ? ::lseek(source.fd.get(), static_cast<off_t>(at + ahead), SEEK_DATA)
                                       : static_cast<off_t>(at + ahead);
      const uint64_t data_begin =
          data >= 0 ? std::min(static_cast<uint64_t>(data) - ahead, range.end) : (errno == ENXIO ? range.end : at);
      if (data_begin > at) pieces.push_back({{at, data_begin}, false});
      if (data_begin == range.end) break;
      const off_t hole =
          source.sparse ? ::lseek(source.fd.get(), static_cast<off_t>(data_begin + ahead), SEEK_HOLE) : -1;
      const uint64_t data_end = hole >= 0 ? std::min(static_cast<uint64_t>(hole) - ahead, range.end) : range.end;
      ASSIGN_OR_RETURN(const size_t bytes,
                       block_io(source.fd.get(), buffer.data() + (data_begin - begin), data_end - data_begin,
                                data_begin + ahead, source.block_size, Direction::kRead));
      shorter = bytes < data_end - data_begin;
      std::fill_n(buffer.data() + (data_begin - begin) + bytes, data_end - data_begin - bytes, '\0');
      pieces.push_back({{data_begin, data_end}, true});
      at = data_end;
    }
  }

  if (shorter || std::chrono::steady_clock::now() - source.checked.load() >= options_.recheck) {
    ASSIGN_OR_RETURN(const bool same, check_source(file, source, version, shorter));
    if (!same) return {};
  } else {
    source.all_checked = false;
  }
  const std::unique_lock lock(file.mutex);
  if (!(file.version() == version)) return {};  // settled meanwhile; the caller looks again
  RETURN_IF_ERROR(file.create(file.identity));
  for (const auto& [piece, is_data] : pieces) {
    // A writer or a truncation may have been here in between: only what is missing still.
    for (const Extent& gap : file.missing(piece.begin, piece.end)) {
      RETURN_IF_ERROR(file.add_present(gap, is_data ? buffer.data() + (gap.begin - begin) : nullptr));
      fetched_bytes_ += is_data ? gap.size() : 0;
    }
  }
  return {};
}

// A look at the outside costs a round trip, so it is not taken for each chunk. What is fetched is noted as being of the
// version that the fetch began with, in any case: if the outside changes meanwhile, the next look drops it.
Result<bool> StorageServer::check_source(ChunkFile& file, Source& source, const Validator& version, bool shorter) {
  const auto now = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const consistency::Probe after,
                   external_.probe_fd(source.fd.get(), consistency::Freshness::kServer));
  source.checked = now;
  std::unique_lock lock(file.mutex);
  if (!(file.version() == version)) return false;
  // While a flush of ours is under way the outside differs for good reason; dirty files settle theirs at the flush.
  const bool ours = file.flushing() || file.explains(after.version);
  if ((after.version == version && !shorter) || ours || file.dirty()) return true;
  lock.unlock();
  RETURN_IF_ERROR(restart(file));
  return false;
}

// The outside changed under a fetch: what came so far is thrown away, and the fetch begins again on the new version.
Status StorageServer::restart(ChunkFile& file) {
  {
    const std::lock_guard lock(file.fetch_mutex);
    ++file.restarts;
  }
  log(Module::kStorage).info("inode {}: the outside changed during its fetch, which begins again", file.id());
  ASSIGN_OR_RETURN(const Validator version, meta_->revalidate(file.id()));
  Status reset;
  {
    const std::unique_lock lock(file.mutex);
    if (!(file.version() == version) && !file.dirty()) reset = file.reset(version);
  }
  meta_->copy_replaced(file.id());
  return reset;
}

void StorageServer::refill(const FilePtr& file) {
  {
    const std::shared_lock lock(file->mutex);
    if (!file->in_use()) return;
  }
  fetcher_.enqueue(file);
}

// The last chunk is here: what came with it and before it is of one version if that is still the outside's.
Status StorageServer::finish_if_complete(ChunkFile& file) {
  Validator version;
  {
    const std::shared_lock lock(file.mutex);
    if (!file.complete() || !file.exists() || file.complete_reported) return {};
    version = file.version();
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Source> source, source_of(file));
  if (!source->all_checked) {
    ASSIGN_OR_RETURN(const bool same, check_source(file, *source, version, false));
    if (!same) return {};
    source->all_checked = true;
  }
  {
    const std::unique_lock lock(file.mutex);
    if (!file.complete() || !file.exists() || file.complete_reported || !(file.version() == version)) return {};
    file.complete_reported = true;
  }
  meta_->report_complete(file.id());
  return {};
}

}  // namespace forebay::storage
