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

// `base`: how far external content still counts.
Status set_external_size(int fd, uint64_t base, uint64_t size, uint64_t external_size) {
  // First down to there, so that an extension after a truncation reads as zeros.
  if (base < external_size && ::ftruncate(fd, static_cast<off_t>(base)) != 0) return fail_errno();
  const uint64_t now = std::min(base, external_size);
  if (size != now && ::ftruncate(fd, static_cast<off_t>(size)) != 0) return fail_errno();
  return {};
}

}  // namespace

// A part of which nothing is here is as outside, whatever was known of it when it was open last.
Status StorageServer::introduce(ChunkFile& file, const FlushBeginRequest& request, const Validator& now) {
  if (file.exists()) return {};
  ASSIGN_OR_RETURN(const Stripe stripe, stripe_in(*request.layout));
  RETURN_IF_ERROR(file.set_stripe(stripe));
  file.identity = request.source.identity;
  return file.opens > 0 ? Status{} : file.reset(now);
}

Result<FlushBeginReply> StorageServer::flush_begin(const FlushBeginRequest& request) {
  ASSIGN_OR_RETURN(const FilePtr file, get(request.id));
  ASSIGN_OR_RETURN(UniqueFd fd, open_external(request.id, request.source, O_WRONLY));
  ASSIGN_OR_RETURN(const consistency::Probe before, external_.probe_fd(fd.get(), consistency::Freshness::kServer));

  FlushBeginReply reply;
  {
    const std::unique_lock lock(file->mutex);
    // Of a metadata server that was killed; its request may be under way here all the same.
    if (file->flush_moves) return fail(EBUSY, "inode {}: is being flushed", request.id);
    if (file->flushing()) file->abort_flush();
    if (request.layout) RETURN_IF_ERROR(introduce(*file, request, before.version));
    RETURN_IF_ERROR(file->settle());
    RETURN_IF_ERROR(file->notice());
    const Validator& version = file->version();
    // A crash in the middle of an own change leaves the outside changed by us: that is no conflict.
    const bool known = before.version == version || file->explains(before.version);
    const bool nothing_newer = !file->stripe().alone() && !file->dirty() && file->writers_pending == 0;
    if (!known && nothing_newer && !request.overwrite) {
      reply.outdated = before.version;
      return reply;
    }
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
    file->flush_fd = std::make_shared<const UniqueFd>(std::move(fd));
    reply.size = file->stripe().file_end(file->flush_plan.size);
    reply.base = file->stripe().file_end(file->flush_plan.base);
  }
  {
    Shard& shard = shard_of(request.id);
    const std::lock_guard lock(shard.mutex);
    shard.flushing[request.id] = file;
  }

  return reply;
}

Status StorageServer::flush_resize(InodeId id, uint64_t base, uint64_t size) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::unique_lock lock(file->mutex);
  if (!file->flushing()) return fail(ECANCELED, "inode {}: was discarded during its flush", id);
  return set_external_size(file->flush_fd->get(), base, size, file->flush_plan.external_size);
}

Status StorageServer::flush_move(InodeId id) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  std::shared_ptr<const UniqueFd> external;
  ChunkFile::FlushPlan plan;
  {
    const std::unique_lock lock(file->mutex);
    if (!file->flushing()) return fail(ECANCELED, "inode {}: was discarded during its flush", id);
    if (file->flush_moves) return fail(EBUSY, "inode {}: is being flushed", id);
    file->flush_moves = true;
    external = file->flush_fd;
    plan = file->flush_plan;
  }
  const Status moved = move_dirty(*file, plan, external->get());
  {
    const std::unique_lock lock(file->mutex);
    file->flush_moves = false;
  }
  return moved;
}

// Writes that began before flush_begin() looked at the file are over after this, and each later one changes its mtime:
// fdatasync(2) makes the kernel see the next store into any page, fchmod(2) waits for the calls under way.
Status StorageServer::wait_for_writers(ChunkFile& file) {
  if (::fdatasync(file.fd()) != 0 || ::fchmod(file.fd(), 0600) != 0) {
    return fail_errno("chunk file of inode {}", file.id());
  }
  return {};
}

// The plan's extents, and the blocks that are no more what the outside has.
Result<std::vector<Extent>> StorageServer::find_changed(ChunkFile& file, const ChunkFile::FlushPlan& plan) {
  constexpr uint64_t kBlock = BlockSums::kBlockBytes;
  ExtentSet changed;
  for (const Extent& extent : plan.extents) changed.add(extent.begin, extent.end);
  const std::span<char> buffer = thread_buffer(kBlock);
  for (uint64_t at = 0; at < plan.size; at += kBlock) {
    const std::shared_lock lock(file.mutex);
    const off_t data = ::lseek(file.fd(), static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) break;  // all the rest is a hole
    at = static_cast<uint64_t>(data) / kBlock * kBlock;
    const uint64_t end = std::min({at + kBlock, plan.size, file.size()});
    if (at >= end || changed.contains(at, end)) continue;
    ASSIGN_OR_RETURN(const size_t bytes, pread_full(file.fd(), buffer.data(), end - at, at));
    if (file.sums.matches(at / kBlock, buffer.first(bytes))) continue;
    // What is not here is as outside.
    ExtentSet here;
    here.add(at, end);
    for (const Extent& gap : file.missing(at, end)) here.remove(gap.begin, gap.end);
    changed.add(here);
  }
  return changed.extents();
}

Status StorageServer::move_dirty(ChunkFile& file, const ChunkFile::FlushPlan& plan, int external) {
  if (plan.shared) RETURN_IF_ERROR(wait_for_writers(file));
  const Stripe& stripe = file.stripe();
  if (stripe.alone()) RETURN_IF_ERROR(set_external_size(external, plan.base, plan.size, plan.external_size));
  if (fault_armed(Fault::kSkipFlush)) return {};
  std::vector<Extent> extents = plan.extents;
  if (plan.compare) {
    ASSIGN_OR_RETURN(extents, find_changed(file, plan));
  }
  // Worth it where a later lease may need them.
  constexpr uint64_t kLargeBytes = 64 << 20;
  const bool keep_sums = stripe.alone() && (plan.compare || plan.shared || plan.size > kLargeBytes);
  const std::span<char> buffer = thread_buffer(kBlockBytes);
  for (const Extent& extent : extents) {
    for (uint64_t at = extent.begin; at < extent.end;) {
      uint64_t data = at, end = at;  // [at, data) is a hole, however long; of a part, within a chunk
      const uint64_t ahead = stripe.file_offset(at) - at;
      size_t bytes = 0;
      {
        const std::shared_lock lock(file.mutex);
        uint64_t last = std::min(extent.end, file.size());  // truncated meanwhile: the next flush brings it out
        if (at >= last) break;
        last = at + std::min(last - at, stripe.run(at));
        const off_t found = ::lseek(file.fd(), static_cast<off_t>(at), SEEK_DATA);
        data = found < 0 ? last : std::min(static_cast<uint64_t>(found), last);
        end = std::min(data + kBlockBytes, last);
        if (data < end) {
          const off_t hole = ::lseek(file.fd(), static_cast<off_t>(data), SEEK_HOLE);
          if (hole > 0) end = std::min(end, static_cast<uint64_t>(hole));
          ASSIGN_OR_RETURN(bytes, pread_full(file.fd(), buffer.data(), end - data, data));
        }
      }
      RETURN_IF_ERROR(punch_outside(external, {at + ahead, data + ahead}, stripe.alone() ? plan.base : kNoEnd));
      flush_limit_.take(bytes);
      RETURN_IF_ERROR(pwrite_full(external, buffer.data(), bytes, data + ahead));
      flushed_bytes_ += bytes;
      {
        const std::unique_lock lock(file.mutex);
        file.sums.forget({at, end});
        if (keep_sums) file.sums.set(data, buffer.first(bytes), plan.size);
      }
      at = end;
    }
  }
  // The dirty extents are forgotten here after this: they must be on disk there first.
  if (::fdatasync(external) != 0) return fail_errno();
  return {};
}

// The external file gets the application's mtime, the chunk file's if no other is given. Returns its version after
// that.
Result<Validator> StorageServer::finish_outside(ChunkFile& file, const std::optional<FileTime>& mtime) {
  const int fd = file.flush_fd->get();
  struct stat ours;
  if (::fstat(file.fd(), &ours) != 0) return fail_errno("chunk file of inode {}", file.id());
  const timespec times[2] = {{0, UTIME_OMIT}, mtime ? mtime->to_timespec() : ours.st_mtim};
  if (::futimens(fd, times) != 0) return fail_errno();
  ASSIGN_OR_RETURN(const consistency::Probe after, external_.probe_fd(fd, consistency::Freshness::kServer));
  return after.version;
}

Result<FlushCommitReply> StorageServer::flush_commit(const FlushCommitRequest& request) {
  const InodeId id = request.id;
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  FlushCommitReply reply;
  bool report = false;
  {
    const std::unique_lock lock(file->mutex);
    if (!file->flushing()) return fail(ECANCELED, "inode {}: was discarded during its flush", id);
    if (file->flush_moves) return fail(EBUSY, "inode {}: is being flushed", id);
    RETURN_IF_ERROR(file->notice());
    if (request.version) {
      reply.version = *request.version;
    } else {
      ASSIGN_OR_RETURN(reply.version, finish_outside(*file, request.mtime));
    }
    RETURN_IF_ERROR(file->commit_flush(reply.version));
    reply.ctime = file->changed_at;
    reply.clean = !file->dirty() && file->writers_pending == 0;
    reply.leased = file->may_be_written();
    if (file->clean()) file->dirty_known = file->lease_announced = false;
    report = file->take_report();
  }
  end_flush(*file);
  if (report) meta_->data_changed(id);
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
      const Result<consistency::Probe> now = external_.probe_fd((*file)->flush_fd->get());
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
Status StorageServer::copy_present(ChunkFile& file, int external_fd) {
  see(file);
  const std::span<char> buffer = thread_buffer(kBlockBytes);
  const std::shared_lock lock(file.mutex);
  const Stripe& stripe = file.stripe();
  uint64_t lost = 0;
  for (uint64_t at = 0; at < file.size();) {
    Extent gap;
    const bool any = file.next_missing(at, &gap);
    const uint64_t last = at + std::min((any ? gap.begin : file.size()) - at, stripe.run(at));
    const off_t found = ::lseek(file.fd(), static_cast<off_t>(at), SEEK_DATA);
    const uint64_t data = found < 0 ? last : std::min(static_cast<uint64_t>(found), last);
    const uint64_t end = std::min(last, data + kBlockBytes);
    ASSIGN_OR_RETURN(const size_t bytes, pread_full(file.fd(), buffer.data(), end - data, data));
    RETURN_IF_ERROR(pwrite_full(external_fd, buffer.data(), bytes, stripe.file_offset(at) + (data - at)));
    at = end;
    if (!any || at < gap.begin) continue;
    lost += gap.size();
    at = gap.end;
  }
  log(Module::kStorage).warn("inode {}: {} bytes were only outside, and went with the external file", file.id(), lost);
  return {};
}

Status StorageServer::copy_all(ChunkFile& file, int external_fd) {
  const Stripe& stripe = file.stripe();
  std::vector<char> block(kBlockBytes);  // not the thread's buffer: read() may fetch through that one
  for (uint64_t at = 0;;) {
    // Holes may be longer than anybody could read.
    Result<uint64_t> data = seek({file.id(), at, SEEK_DATA});
    if (!data && data.error().code == EAGAIN) data = at;
    if (!data && data.error().code == ENXIO) return {};
    RETURN_IF_ERROR(data);
    const uint64_t run = stripe.run(stripe.local_below(*data));
    const std::span<char> piece(block.data(), std::min<uint64_t>(block.size(), run));
    ASSIGN_OR_RETURN(const size_t bytes, read(file.id(), *data, piece));
    if (bytes == 0) return {};
    RETURN_IF_ERROR(pwrite_full(external_fd, block.data(), bytes, *data));
    at = *data + bytes;
  }
}

Status StorageServer::copy_out(InodeId id, const ExternalRef& to, uint64_t size) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  ASSIGN_OR_RETURN(const UniqueFd external, external_.open_ref(to, O_WRONLY));
  // Before the bytes: other targets bring theirs at the same time.
  if (::ftruncate(external.get(), static_cast<off_t>(size)) != 0) return fail_errno();
  add_open(file, 0);  // what is missing is fetched
  Status copied = copy_all(*file, external.get());
  if (!copied && (copied.error().code == ESTALE || copied.error().code == ENOENT)) {
    copied = copy_present(*file, external.get());
  }
  close_file(id);
  RETURN_IF_ERROR(copied);
  if (::fdatasync(external.get()) != 0) return fail_errno();
  return {};
}

}  // namespace forebay::storage
