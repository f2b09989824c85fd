// flush: dirty extents go outside. flush_begin() compares, flush_move() moves and syncs, flush_commit() gives the
// external file the application's mtime and records its new version. The metadata server runs at most one flush of a
// file at a time.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/fault/fault.h"
#include "core/io.h"
#include "core/log.h"
#include "storage/server.h"

namespace forebay::storage {
namespace {

constexpr uint64_t kBlockBytes = 1 << 20;

// Makes [begin, end) of the external file read as zeros. Where it has no data there is nothing to do.
Status punch_outside(int fd, Extent range, uint64_t external_size) {
  range.end = std::min(range.end, external_size);
  if (range.begin >= range.end) return {};
  if (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.begin),
                  static_cast<off_t>(range.size())) == 0) {
    return {};
  }
  if (errno != EOPNOTSUPP) return fail_errno();
  static const std::vector<char> zeros(kBlockBytes);
  for (uint64_t at = range.begin; at < range.end; at += kBlockBytes) {
    RETURN_IF_ERROR(pwrite_full(fd, zeros.data(), std::min(kBlockBytes, range.end - at), at));
  }
  return {};
}

Status set_external_size(int fd, const ChunkFile::FlushPlan& plan, uint64_t external_size) {
  // First down to where external content still counts, so that an extension after a truncation reads as zeros.
  if (plan.base < external_size && ::ftruncate(fd, static_cast<off_t>(plan.base)) != 0) return fail_errno();
  const uint64_t now = std::min(plan.base, external_size);
  if (plan.size != now && ::ftruncate(fd, static_cast<off_t>(plan.size)) != 0) return fail_errno();
  return {};
}

}  // namespace

Result<FlushBeginReply> StorageServer::flush_begin(const FlushBeginRequest& request) {
  ASSIGN_OR_RETURN(const FilePtr file, get(request.id));
  ASSIGN_OR_RETURN(UniqueFd fd, external_.open_ref(request.source, O_WRONLY));
  ASSIGN_OR_RETURN(const consistency::Probe before, external_.probe_fd(fd.get(), consistency::Freshness::kServer));

  FlushBeginReply reply;
  {
    const std::unique_lock lock(file->mutex);
    const Validator& version = file->version();
    // A crash in the middle of an own change leaves the outside changed by us: that is no conflict.
    const bool known = before.version == version || file->explains(before.version);
    if (!known && !request.overwrite && !fault_armed(Fault::kIgnoreConflict)) {
      reply.conflict = true;
      log(Module::kStorage)
          .info(
              "inode {}: the outside is not what was cached: mtime differs by {} ns, ctime by {} ns, size by {} bytes",
              request.id, before.version.mtime.total_nanoseconds() - version.mtime.total_nanoseconds(),
              before.version.ctime.total_nanoseconds() - version.ctime.total_nanoseconds(),
              static_cast<int64_t>(before.version.size - version.size));
      return reply;
    }
    RETURN_IF_ERROR(file->create(file->identity));
    // Over another version all of ours must go, not only what we changed.
    if (request.overwrite) RETURN_IF_ERROR(file->before_change({0, file->size()}));
    RETURN_IF_ERROR(file->expect(Expectation::kData));
    file->flush_plan = file->begin_flush();
    file->flush_plan.external_size = before.version.size;
    file->flush_fd = std::move(fd);
  }
  {
    Shard& shard = shard_of(request.id);
    const std::lock_guard lock(shard.mutex);
    shard.flushing[request.id] = file;
  }

  return reply;
}

Status StorageServer::flush_move(InodeId id) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  if (!file->flushing()) return fail(ECANCELED, "inode {}: was discarded during its flush", id);
  const Status moved = move_dirty(*file, file->flush_plan);
  if (moved) return {};
  flush_abort(id);
  return moved;
}

Status StorageServer::move_dirty(ChunkFile& file, const ChunkFile::FlushPlan& plan) {
  const int fd = file.flush_fd.get();
  RETURN_IF_ERROR(set_external_size(fd, plan, plan.external_size));
  if (fault_armed(Fault::kSkipFlush)) return {};
  const std::span<char> buffer = thread_buffer(kBlockBytes);
  for (const Extent& extent : plan.extents) {
    for (uint64_t at = extent.begin; at < extent.end;) {
      uint64_t data = at, end = std::min(extent.end, at + kBlockBytes);
      size_t bytes = 0;
      {
        const std::shared_lock lock(file.mutex);
        end = std::min(end, file.size());  // truncated meanwhile: the next flush brings the size out
        if (at >= end) break;
        const off_t found = ::lseek(file.fd(), static_cast<off_t>(at), SEEK_DATA);
        data = found < 0 ? end : std::min(static_cast<uint64_t>(found), end);
        if (data < end) {
          const off_t hole = ::lseek(file.fd(), static_cast<off_t>(data), SEEK_HOLE);
          if (hole > 0) end = std::min(end, static_cast<uint64_t>(hole));
          ASSIGN_OR_RETURN(bytes, pread_full(file.fd(), buffer.data(), end - data, data));
        }
      }
      RETURN_IF_ERROR(punch_outside(fd, {at, data}, plan.base));
      RETURN_IF_ERROR(pwrite_full(fd, buffer.data(), bytes, data));
      flushed_bytes_ += bytes;
      at = end;
    }
  }
  // The dirty extents are forgotten here after this: they must be on disk there first.
  if (::fdatasync(fd) != 0) return fail_errno();
  return {};
}

Result<FlushCommitReply> StorageServer::flush_commit(InodeId id) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  FlushCommitReply reply;
  {
    const std::unique_lock lock(file->mutex);
    if (!file->flushing()) return fail(ECANCELED, "inode {}: was discarded during its flush", id);
    const int fd = file->flush_fd.get();
    struct stat ours;
    if (::fstat(file->fd(), &ours) != 0) return fail_errno("chunk file of inode {}", id);
    const timespec times[2] = {{0, UTIME_OMIT}, ours.st_mtim};
    if (::futimens(fd, times) != 0) return fail_errno();
    ASSIGN_OR_RETURN(const consistency::Probe after, external_.probe_fd(fd, consistency::Freshness::kServer));
    RETURN_IF_ERROR(file->commit_flush(after.version));
    reply.version = after.version;
    reply.ctime = file->changed_at;
    reply.clean = !file->dirty() && file->writers_pending == 0;
    if (reply.clean) file->dirty_known = false;
  }
  end_flush(*file);
  return reply;
}

void StorageServer::flush_abort(InodeId id) {
  const Result<FilePtr> file = get(id);
  if (!file) return;
  {
    const std::unique_lock lock((*file)->mutex);
    if ((*file)->flushing()) {
      (*file)->abort_flush();
      // What the outside is now is our own doing: not a conflict for the next try. If it can't be asked, the
      // expectation in the log stands.
      const Result<consistency::Probe> now = external_.probe_fd((*file)->flush_fd.get());
      if (now) (void)(*file)->set_version(now->version);
    }
  }
  end_flush(**file);
}

// The caller holds no lock of the file.
void StorageServer::end_flush(ChunkFile& file) {
  {
    const std::unique_lock lock(file.mutex);
    file.flush_fd.reset();
  }
  Shard& shard = shard_of(file.id());
  const std::lock_guard lock(shard.mutex);
  shard.flushing.erase(file.id());
}

// What is here of a file whose external file is gone; the rest went with that and is left as holes.
Status StorageServer::copy_present(InodeId id, int external_fd) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::span<char> buffer = thread_buffer(kBlockBytes);
  const std::shared_lock lock(file->mutex);
  uint64_t lost = 0;
  for (uint64_t at = 0; at < file->size();) {
    Extent gap;
    const bool any = file->next_missing(at, &gap);
    const uint64_t end = std::min(any ? gap.begin : file->size(), at + kBlockBytes);
    ASSIGN_OR_RETURN(const size_t bytes, pread_full(file->fd(), buffer.data(), end - at, at));
    RETURN_IF_ERROR(pwrite_full(external_fd, buffer.data(), bytes, at));
    at = end;
    if (!any || at < gap.begin) continue;
    lost += gap.size();
    at = gap.end;
  }
  log(Module::kStorage).warn("inode {}: {} bytes were only outside, and went with the external file", id, lost);
  if (::ftruncate(external_fd, static_cast<off_t>(file->size())) != 0 || ::fdatasync(external_fd) != 0) {
    return fail_errno();
  }
  return {};
}

Status StorageServer::copy_out(InodeId id, int external_fd) {
  std::vector<char> block(kBlockBytes);  // not the thread's buffer: read() may fetch through that one
  for (uint64_t at = 0;;) {
    const Result<size_t> bytes = read(id, at, block);
    if (!bytes && (bytes.error().code == ESTALE || bytes.error().code == ENOENT)) return copy_present(id, external_fd);
    RETURN_IF_ERROR(bytes);
    if (*bytes == 0) break;
    RETURN_IF_ERROR(pwrite_full(external_fd, block.data(), *bytes, at));
    at += *bytes;
  }
  if (::fdatasync(external_fd) != 0) return fail_errno();
  return {};
}

}  // namespace forebay::storage
