// drop, discard, revert: data leaves the cache.
#include "core/fault/fault.h"
#include "storage/server.h"

namespace forebay::storage {

Result<uint64_t> StorageServer::drop(InodeId id, uint64_t bytes) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  see(*file);
  bool open = false;
  {
    const std::lock_guard lock(file->fetch_mutex);
    open = file->opens > 0;
  }
  // What is dropped under an open file is read from outside again, also when it is unlinked by then.
  if (open) RETURN_IF_ERROR(source_of(*file));

  const std::lock_guard fetch_lock(file->fetch_mutex);
  const std::unique_lock lock(file->mutex);
  if (!file->exists() || file->in_use()) return uint64_t{0};
  if (file->opens == 0 && file->in_flight.empty() && file->writers_pending == 0 && !file->flushing() &&
      (!file->dirty() || fault_armed(Fault::kEvictDirty))) {
    const uint64_t used = file->state().blocks * 512;
    new_numbers_.passed(id);
    RETURN_IF_ERROR(file->remove(file->version()));
    return used;
  }
  if (file->opens == 0 && file->source == nullptr) return uint64_t{0};  // dirty: flushed first
  return file->punch_clean(bytes);
}

Status StorageServer::discard(InodeId id) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::unique_lock lock(file->mutex);
  if (file->flushing()) file->abort_flush();
  new_numbers_.passed(id);
  Validator nothing = file->version();
  nothing.size = 0;
  return file->remove(nothing);
}

Status StorageServer::revert(InodeId id, const Validator& version) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  {
    const std::unique_lock lock(file->mutex);
    if (file->flushing()) file->abort_flush();
    new_numbers_.passed(id);
    RETURN_IF_ERROR(file->reset(version));
    file->lease_announced = false;
    file->dirty_known = file->writers_pending > 0 || file->may_be_written();
  }
  refill(file);
  return {};
}

}  // namespace forebay::storage
