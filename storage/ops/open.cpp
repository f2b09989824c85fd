// caching_file, close_file, stat_file: stage one of a fetch, its end, and a look at what is here.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/fault/fault.h"
#include "core/log.h"
#include "storage/server.h"

namespace forebay::storage {
namespace {

constexpr uint32_t kMostHandles = 1U << 30;  // whatever a peer says

void log_difference(InodeId id, const Validator& ours, const Validator& theirs) {
  log(Module::kStorage)
      .info("inode {}: the outside changed, the copy is dropped: mtime differs by {} ns, ctime by {} ns, size by {}",
            id, theirs.mtime.total_nanoseconds() - ours.mtime.total_nanoseconds(),
            theirs.ctime.total_nanoseconds() - ours.ctime.total_nanoseconds(),
            static_cast<int64_t>(theirs.size - ours.size));
}

}  // namespace

// Which part of a file with that layout this target has.
Result<Stripe> StorageServer::stripe_in(const Layout& layout) const {
  const auto found = std::find(layout.targets.begin(), layout.targets.end(), options_.target);
  if (found == layout.targets.end()) return fail(EINVAL, "target {}: is not in the layout", options_.target);
  return Stripe::of(layout, static_cast<size_t>(found - layout.targets.begin()));
}

Result<ChunkState> StorageServer::caching_file(const CachingFileRequest& request) {
  ASSIGN_OR_RETURN(const FilePtr file, get(request.id, request.created));
  if (request.run != 0) return open_new(file, request);
  see(*file);
  bool needs_source = false, was_reset = false;
  ChunkState state;
  {
    const std::unique_lock lock(file->mutex);
    ASSIGN_OR_RETURN(was_reset, take_note(*file, request));
    needs_source = !file->complete();
    state = file->state();
  }
  if (needs_source) RETURN_IF_ERROR(source_of(*file, &request));

  add_open(file, request.handles);
  if (was_reset) refill(file);
  return state;
}

// Nothing is here of it, and the metadata server did not open it in the meantime: that would count this handle.
Result<ChunkState> StorageServer::open_new(const FilePtr& file, const CachingFileRequest& request) {
  ChunkState state;
  {
    const std::lock_guard fetch_lock(file->fetch_mutex);
    const std::unique_lock lock(file->mutex);
    const bool is_new = request.run == options_.run && request.version.size == 0 && file->opens == 0 &&
                        !file->exists() && new_numbers_.may_be_new(request.id);
    if (!is_new) return fail(EBADFD, "inode {}: is not new any more", request.id);
    RETURN_IF_ERROR(take_note(*file, request));
    state = file->state();
    file->opens = 1;
  }
  keep_open(file);
  return state;
}

Result<bool> StorageServer::take_note(ChunkFile& file, const CachingFileRequest& request) {
  ASSIGN_OR_RETURN(const Stripe stripe, stripe_in(request.layout));
  RETURN_IF_ERROR(file.set_stripe(stripe));
  file.set_transient(request.transient);
  file.lease_announced = request.lease_announced;
  file.identity = request.source.identity;
  const bool same = file.version() == request.version || fault_armed(Fault::kSkipValidation);
  const bool ours = file.explains(request.version);  // the change is our own, cut short by a crash
  const bool newer = file.dirty() || file.flushing() || file.may_be_written() || request.newer;
  if (!file.exists() || (!same && !newer && !ours)) {
    if (file.exists()) log_difference(request.id, file.version(), request.version);
    RETURN_IF_ERROR(file.reset(request.version));
    // A later look may show other times (ExternalTree::probe_known). As long as it is empty outside, that is no
    // conflict.
    if (request.created) RETURN_IF_ERROR(file.expect(Expectation::kTimes));
    return file.exists();
  }
  if (!same && ours && !file.dirty()) RETURN_IF_ERROR(file.set_version(request.version));
  return false;
}

void StorageServer::add_open(const FilePtr& file, uint32_t handles) {
  {
    const std::lock_guard lock(file->fetch_mutex);
    file->opens = handles > 0 ? static_cast<int>(std::min(handles, kMostHandles)) : file->opens + 1;
  }
  keep_open(file);
}

void StorageServer::keep_open(const FilePtr& file) {
  Shard& shard = shard_of(file->id());
  const std::lock_guard lock(shard.mutex);
  shard.open[file->id()] = file;
}

void StorageServer::close_file(InodeId id) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto it = shard.open.find(id);
  if (it == shard.open.end()) return;
  const FilePtr file = it->second;
  {
    const std::lock_guard fetch_lock(file->fetch_mutex);
    if (--file->opens > 0) return;
    file->source.reset();
    file->restarts = 0;
  }
  shard.open.erase(it);
  keep_recent(shard, file);
}

Result<ChunkState> StorageServer::stat_file(InodeId id) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  see(*file);
  const std::shared_lock lock(file->mutex);
  return file->state();
}

// A path may be out of date when it comes here, or be none because a directory above is: then the metadata server knows
// the next one. If it is still the same, nothing is there.
Result<UniqueFd> StorageServer::open_external(InodeId id, const ExternalRef& ref, int flags) {
  constexpr int kMostTries = 100;  // somebody renames the file, or a directory above, as fast as we ask
  ExternalRef now = ref;
  for (int tries = 0; tries < kMostTries; ++tries) {
    Result<UniqueFd> fd = external_.open_ref(now, flags);
    const bool moved = !fd && now.descriptor == nullptr &&
                       (fd.error().code == ENOENT || fd.error().code == ENOTDIR || fd.error().code == ELOOP ||
                        fd.error().code == ESTALE);
    if (!moved) return fd;
    Result<ExternalRef> next = meta_->locate(id);
    if (!next && next.error().code != ESTALE) return Failure(std::move(next).error());
    if (!next || next->path == now.path) return fd;
    now = *std::move(next);
  }
  return fail(EBUSY, "inode {}: is renamed again and again", id);
}

Result<std::shared_ptr<Source>> StorageServer::source_of(ChunkFile& file, const CachingFileRequest* request) {
  {
    const std::lock_guard lock(file.fetch_mutex);
    if (file.source != nullptr) return file.source;
  }
  ExternalRef found;
  if (request == nullptr) {
    ASSIGN_OR_RETURN(found, meta_->locate(file.id()));
  }
  const ExternalRef& ref = request == nullptr ? found : request->source;
  auto source = std::make_shared<Source>();
  ASSIGN_OR_RETURN(source->fd, open_external(file.id(), ref, O_RDONLY | O_NOATIME));
  struct stat attributes = {};
  if (request != nullptr) {
    attributes.st_size = static_cast<off_t>(request->version.size);
    attributes.st_blocks = static_cast<blkcnt_t>(request->blocks);
    attributes.st_blksize = static_cast<blksize_t>(request->block_size);
  } else if (::fstat(source->fd.get(), &attributes) != 0) {
    return fail_errno("{}", ref.path);
  }
  constexpr uint64_t kUnitBytes = 512;  // of st_blocks; what a peer says of them may be anything
  const auto units = (static_cast<uint64_t>(attributes.st_size) + kUnitBytes - 1) / kUnitBytes;
  source->sparse = static_cast<uint64_t>(attributes.st_blocks) < units;
  // A block costs a round trip, and a chunk is mostly no larger than this: then it comes with one. The outside's
  // recommendation counts where it is larger.
  constexpr size_t kSmallestBlock = 1 << 20;
  source->block_size = std::max(kSmallestBlock, static_cast<size_t>(attributes.st_blksize));
  const std::lock_guard lock(file.fetch_mutex);
  if (file.source == nullptr) file.source = source;
  return file.source;
}

}  // namespace forebay::storage
