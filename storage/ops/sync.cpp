// sync: what was written is on stable storage of the target.
#include "core/fault/fault.h"
#include "storage/server.h"

namespace forebay::storage {

Status StorageServer::sync(InodeId id) {
  if (fault_armed(Fault::kIgnoreFsync)) return {};
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  see(*file);
  const std::unique_lock lock(file->mutex);
  return file->sync();
}

}  // namespace forebay::storage
