// read: from the chunk file; what is missing is fetched first, and only that is waited for.
#include <algorithm>
#include <optional>

#include "core/io.h"
#include "core/log.h"
#include "storage/server.h"

namespace forebay::storage {
namespace {

// A read that waits for the outside, for await_reads().
class WaitingRead {
 public:
  explicit WaitingRead(ChunkFile& file) : file_(file) {
    const std::lock_guard lock(file_.fetch_mutex);
    entry_ = file_.waiting_reads.insert(std::chrono::steady_clock::now());
  }
  ~WaitingRead() {
    {
      const std::lock_guard lock(file_.fetch_mutex);
      file_.waiting_reads.erase(entry_);
    }
    file_.fetched.notify_all();
  }
  WaitingRead(const WaitingRead&) = delete;
  WaitingRead& operator=(const WaitingRead&) = delete;

 private:
  ChunkFile& file_;
  std::multiset<std::chrono::steady_clock::time_point>::iterator entry_;
};

}  // namespace

// What is missing comes through a descriptor that the last close_file() ends.
Status StorageServer::must_be_open(const ChunkFile& file) {
  return file.opens > 0 ? Status{} : fail(EBADFD, "inode {}: is not open here any more", file.id());
}

// Without a chunk file a file is what caching_file() said of it. Read without that it would seem to be empty.
Status StorageServer::must_be_known(ChunkFile& file) {
  if (file.opens > 0) return {};
  const std::shared_lock lock(file.mutex);
  return file.exists() ? Status{} : must_be_open(file);
}

Result<uint64_t> StorageServer::local_offset(const ChunkFile& file, uint64_t offset, size_t bytes) {
  if (!file.stripe().holds(offset, bytes)) {
    return fail(EINVAL, "inode {}: {} bytes at {} are not of one chunk of part {}", file.id(), bytes, offset,
                file.stripe().index);
  }
  return file.stripe().local_below(offset);
}

Result<size_t> StorageServer::read(InodeId id, uint64_t file_offset, std::span<char> buffer) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  RETURN_IF_ERROR(must_be_known(*file));
  ASSIGN_OR_RETURN(const uint64_t offset, local_offset(*file, file_offset, buffer.size()));
  see(*file);
  bool missed = false;
  std::optional<WaitingRead> waiting;
  // A round more is needed when the evictor, or a change of the outside, takes away what was just fetched.
  constexpr int kMostRounds = 16;
  for (int round = 0; round < kMostRounds; ++round) {
    Extent wanted;
    {
      const std::shared_lock lock(file->mutex);
      if (offset >= file->size()) return size_t{0};
      const uint64_t end = std::min(offset + buffer.size(), file->size());
      const std::vector<Extent> missing = file->missing(offset, end);
      if (missing.empty()) {
        ++(missed ? misses_ : hits_);
        if (!file->exists()) {  // size without data: an extension is made with the first change
          std::fill_n(buffer.data(), end - offset, '\0');
          return static_cast<size_t>(end - offset);
        }
        return pread_full(file->fd(), buffer.data(), end - offset, offset);
      }
      wanted = {missing.front().begin, end};
    }
    RETURN_IF_ERROR(must_be_open(*file));
    if (!waiting) waiting.emplace(*file);
    const Status fetched = fetch_part(*file, part_for_reader(*file, wanted));
    // Only now, so that what is waited for does not share the way with what is not.
    if (!missed) start_fetch(id, file_offset + buffer.size());
    missed = true;
    if (!fetched && (fetched.error().code == ENOSPC || fetched.error().code == EAGAIN)) break;
    RETURN_IF_ERROR(fetched);
  }
  ++misses_;
  return read_through(*file, offset, buffer);
}

bool StorageServer::read_in_place(InodeId id, uint64_t file_offset, size_t bytes, const TakeInPlace& take) {
  const Result<FilePtr> found = get(id);
  if (!found) return false;
  ChunkFile& file = **found;
  const Result<uint64_t> local = local_offset(file, file_offset, bytes);
  if (!local) return false;
  const uint64_t offset = *local;
  see(file);
  const std::shared_lock lock(file.mutex);
  if (!file.exists() || offset >= file.size()) return false;
  const uint64_t end = std::min(offset + bytes, file.size());
  if (!file.missing(offset, end).empty()) return false;
  ++hits_;
  take(file.fd(), offset, end - offset);
  return true;
}

bool StorageServer::await_reads(InodeId id, std::chrono::steady_clock::time_point began,
                                std::chrono::milliseconds limit) {
  const Result<FilePtr> file = get(id);
  if (!file) return true;
  std::unique_lock lock((*file)->fetch_mutex);
  const auto over = [&] { return (*file)->waiting_reads.empty() || *(*file)->waiting_reads.begin() > began; };
  return (*file)->fetched.wait_for(lock, limit, over);
}

// Reads without keeping: what is here from here, the rest from outside. For when the cache can't hold it.
Result<size_t> StorageServer::read_through(ChunkFile& file, uint64_t offset, std::span<char> buffer) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Source> source, source_of(file));
  const std::shared_lock lock(file.mutex);
  if (offset >= file.size()) return size_t{0};
  const uint64_t end = std::min(offset + buffer.size(), file.size());
  if (file.exists()) {
    ASSIGN_OR_RETURN([[maybe_unused]] const size_t here, pread_full(file.fd(), buffer.data(), end - offset, offset));
  }
  const uint64_t ahead = file.stripe().file_offset(offset) - offset;  // all of it is of one chunk
  for (const Extent& gap : file.missing(offset, end)) {
    char* into = buffer.data() + (gap.begin - offset);
    ASSIGN_OR_RETURN(const size_t bytes, pread_full(source->fd.get(), into, gap.size(), gap.begin + ahead));
    std::fill_n(into + bytes, gap.size() - bytes, '\0');
  }
  return static_cast<size_t>(end - offset);
}

}  // namespace forebay::storage
