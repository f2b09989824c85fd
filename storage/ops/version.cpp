// The version of the external file that a copy is of. Own changes of the outside that change no data (chmod, rename,
// utimens, ...) keep the copy valid; others drop it.
#include "core/fault/fault.h"
#include "storage/server.h"

namespace forebay::storage {

Status StorageServer::expect_version_change(InodeId id, bool sets_mtime) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::unique_lock lock(file->mutex);
  return file->expect(sets_mtime ? Expectation::kTimes : Expectation::kAttributes);
}

Status StorageServer::set_version(InodeId id, const Validator& from, const Validator& to) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::unique_lock lock(file->mutex);
  // The end of a flush under way sees this change as well, and records it.
  return file->flushing() || !(file->version() == from) ? Status{} : file->set_version(to);
}

// The expectation of a flush stays: the next flush settles it.
Status StorageServer::settle_expectation(InodeId id, const Validator& now) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::unique_lock lock(file->mutex);
  const bool settles = file->expectation() != Expectation::kData && file->explains(now);
  return settles ? file->set_version(now) : Status{};
}

Result<bool> StorageServer::outside_changed(InodeId id, const Validator& now) {
  if (fault_armed(Fault::kSkipValidation)) return false;
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  std::unique_lock lock(file->mutex);
  const bool ours = file->flushing() || file->explains(now);
  // Who may write unseen may have: his flush finds out.
  const bool newer = file->dirty() || file->may_be_written() || file->writers_pending > 0;
  if (file->version() == now || ours || newer) return false;
  RETURN_IF_ERROR(file->reset(now));
  lock.unlock();
  refill(file);
  return true;
}

}  // namespace forebay::storage
