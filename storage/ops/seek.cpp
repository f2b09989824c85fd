// seek: SEEK_DATA and SEEK_HOLE over a file that is partly here and partly outside.
#include <unistd.h>

#include <algorithm>

#include "storage/server.h"

namespace forebay::storage {
namespace {

// The first data (or hole) of `fd` in [begin, end); `end` if there is none.
Result<uint64_t> seek_in(int fd, int whence, uint64_t begin, uint64_t end) {
  const off_t found = ::lseek(fd, static_cast<off_t>(begin), whence);
  if (found >= 0) return std::min(static_cast<uint64_t>(found), end);
  if (errno != ENXIO) return fail_errno();
  return whence == SEEK_DATA ? end : begin;  // behind the end of that file all is hole
}

}  // namespace

Result<uint64_t> StorageServer::seek(const SeekRequest& request) {
  ASSIGN_OR_RETURN(const FilePtr file, get(request.id));
  RETURN_IF_ERROR(must_be_known(*file));
  see(*file);
  std::shared_ptr<Source> source;
  bool complete = false;
  {
    const std::shared_lock lock(file->mutex);
    complete = file->complete();
  }
  if (!complete) {
    RETURN_IF_ERROR(must_be_open(*file));
    ASSIGN_OR_RETURN(source, source_of(*file));
  }
  const std::shared_lock lock(file->mutex);
  const Stripe& stripe = file->stripe();
  const uint64_t size = file->size();
  const uint64_t begin = stripe.local_below(request.offset);
  // Of a part, only who knows them all can tell where the file ends: behind its bytes a hole begins.
  if (begin >= size && (stripe.alone() || request.whence == SEEK_DATA)) return fail(ENXIO);
  // Piece by piece: each is wholly missing (ask the outside) or wholly here (ask the chunk file).
  for (uint64_t at = begin; at < size;) {
    Extent gap;
    const bool any = file->next_missing(at, &gap);
    const bool is_missing = any && gap.begin == at;
    uint64_t end = is_missing ? gap.end : (any ? gap.begin : size);
    uint64_t found = end;
    if (is_missing) {
      if (source == nullptr) return fail(EAGAIN, "inode {}: was dropped just now", request.id);
      end = std::min(end, at + std::min(stripe.run(at), end - at));
      const uint64_t ahead = stripe.file_offset(at) - at;
      ASSIGN_OR_RETURN(found, seek_in(source->fd.get(), request.whence, at + ahead, end + ahead));
      found -= ahead;
    } else if (file->exists()) {
      ASSIGN_OR_RETURN(found, seek_in(file->fd(), request.whence, at, end));
    } else if (request.whence == SEEK_HOLE) {
      found = at;
    }
    if (found < end) return stripe.file_offset(found);
    at = end;
  }
  if (request.whence == SEEK_HOLE) return stripe.file_offset(std::max(begin, size));
  return fail(ENXIO);
}

}  // namespace forebay::storage
