// write, truncate, allocate, set_mtime: what changes a file's bytes.
#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>

#include "core/io.h"
#include "storage/server.h"

namespace forebay::storage {

Status StorageServer::change(const FilePtr& file, uint64_t bytes, const std::function<Status(ChunkFile&)>& change) {
  RETURN_IF_ERROR(must_be_known(*file));
  // The cache disk may be fuller than the account thinks (others use it too): then evict, and try again.
  constexpr int kMostRounds = 100;
  for (int round = 0;; ++round) {
    ASSIGN_OR_RETURN(const Reservation reservation, reserve(file->id(), bytes));
    // The dirty flag is in the metadata database before the first byte changes. A writer is counted as pending
    // meanwhile, so that a flush that ends just now does not call the file clean.
    bool announce = false, report = false;
    {
      const std::unique_lock lock(file->mutex);
      ++file->writers_pending;
      announce = !file->dirty_known;
    }
    Status done;
    if (announce) done = meta_->mark_dirty(file->id(), false);
    {
      const std::unique_lock lock(file->mutex);
      --file->writers_pending;
      if (done) {
        file->dirty_known = true;
        done = file->create(file->identity);
      }
      if (done) done = file->notice();
      if (done) done = change(*file);
      if (done) file->note_change();
      report = file->take_report();
    }
    if (report) meta_->data_changed(file->id());
    if (done || done.error().code != ENOSPC || round == kMostRounds) return done;
    space_.distrust_capacity();
    RETURN_IF_ERROR(meta_->make_room(options_.target, std::max<uint64_t>(bytes, 1 << 20)));
  }
}

Status StorageServer::write(InodeId id, uint64_t offset, std::span<const char> data) {
  if (data.empty()) return {};
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const bool at_end = offset == kAtEnd;
  if (at_end && !file->stripe().alone()) return fail(EINVAL, "inode {}: a part does not know where the file ends", id);
  uint64_t local = 0;
  if (!at_end) {
    ASSIGN_OR_RETURN(local, local_offset(*file, offset, data.size()));
  }
  // One log page and partly filled blocks at both ends.
  constexpr uint64_t kOverheadBytes = 3 * 4096;
  const Status written = change(file, data.size() + kOverheadBytes, [&](ChunkFile& chunks) -> Status {
    const uint64_t begin = at_end ? chunks.size() : local;
    const Extent range{begin, begin + data.size()};
    RETURN_IF_ERROR(chunks.before_change(range));
    RETURN_IF_ERROR(pwrite_full(chunks.fd(), data.data(), data.size(), begin));
    return chunks.after_change(range);
  });
  RETURN_IF_ERROR(written);
  return pace(id);
}

Result<uint64_t> StorageServer::reserve_end(InodeId id, uint64_t size, uint64_t bytes) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::unique_lock lock(file->mutex);
  const uint64_t end = std::max(file->reserved_end, size);
  file->reserved_end = end + bytes;
  return end;
}

// In a cluster the client does not know when it is too much.
Status StorageServer::pace(InodeId id) {
  if (!options_.paces_writers) return {};
  const bool too_much = space_.dirty() > options_.most_dirty_bytes;
  return options_.each_write_goes_out || too_much ? meta_->after_write(id) : Status{};
}

Status StorageServer::truncate(InodeId id, uint64_t size) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  constexpr uint64_t kOverheadBytes = 2 * 4096;
  return change(file, kOverheadBytes, [&](ChunkFile& chunks) {
    chunks.reserved_end = 0;
    return chunks.set_size(chunks.stripe().local_below(size));
  });
}

Status StorageServer::allocate(InodeId id, int mode, uint64_t file_offset, uint64_t file_length) {
  const int kind = mode & ~FALLOC_FL_KEEP_SIZE;
  const bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  if (kind != 0 && kind != FALLOC_FL_PUNCH_HOLE && kind != FALLOC_FL_ZERO_RANGE) return fail(EOPNOTSUPP);
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const uint64_t offset = file->stripe().local_below(file_offset);
  const uint64_t length = file->stripe().local_below(file_offset + file_length) - offset;

  // Space that is only promised is not taken from other files' copies: a promise larger than a part of the cache
  // extends the file and allocates nothing.
  const bool promise = kind != FALLOC_FL_PUNCH_HOLE;
  const bool fits = length <= options_.capacity_bytes / 8;
  constexpr uint64_t kOverheadBytes = 3 * 4096;
  return change(file, (promise && fits ? length : 0) + kOverheadBytes, [&](ChunkFile& chunks) -> Status {
    const uint64_t old_size = chunks.size();
    const uint64_t end = keep_size ? std::min(offset + length, old_size) : offset + length;
    if (kind == 0) {
      if (fits && length > 0 &&
          ::fallocate(chunks.fd(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) != 0 &&
          errno != EOPNOTSUPP) {
        return fail_errno("chunk file of inode {}", id);
      }
      return end > old_size ? chunks.set_size(end) : chunks.touch();
    }
    if (end > old_size) RETURN_IF_ERROR(chunks.set_size(end));
    if (offset >= end) return chunks.touch();
    const Extent range{offset, end};
    RETURN_IF_ERROR(chunks.before_change(range));
    const int how = (kind == FALLOC_FL_ZERO_RANGE && fits ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE);
    if (::fallocate(chunks.fd(), how | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.begin),
                    static_cast<off_t>(range.size())) != 0) {
      return fail_errno("chunk file of inode {}", id);
    }
    return chunks.after_change(range);
  });
}

Status StorageServer::set_mtime(InodeId id, FileTime mtime) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::unique_lock lock(file->mutex);
  RETURN_IF_ERROR(file->notice());
  return file->dirty() ? file->set_mtime(mtime) : Status{};
}

}  // namespace forebay::storage
