// Flushes of a file on one or several targets, and copies of it: the two stages of the paper (4.2), with each target
// moving its own chunks (Algorithm 1).
#include <algorithm>

#include "core/stripe/ask_all.h"

namespace forebay {

// On several targets: when all have compared, the external file gets its size, before any of them moves.
Result<FlushBeginReply> StripedStorage::flush_begin(const FlushBeginRequest& request) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(request.id));
  if (parts.alone()) return parts.first().flush_begin(request);
  FlushBeginRequest to_part = request;
  to_part.layout = parts.layout;
  auto begun = ask_all(parts, [&](StorageService& part) { return part.flush_begin(to_part); });
  if (begun) begun = begin_outdated(parts, to_part, *std::move(begun));
  FlushBeginReply whole;
  if (begun) {
    for (const FlushBeginReply& part : *begun) {
      whole.conflict = whole.conflict || part.conflict;
      whole.size = std::max(whole.size, part.size);
      whole.base = std::max(whole.base, part.base);
    }
  }
  Status resized = begun ? Status{} : Failure(begun.error());
  if (begun && !whole.conflict) resized = parts.first().flush_resize(request.id, whole.base, whole.size);
  if (!resized || whole.conflict) flush_abort(request.id);
  RETURN_IF_ERROR(resized);
  return whole;
}

// Those that have nothing newer follow the others: they take what the outside has now, and begin as well.
Result<std::vector<FlushBeginReply>> StripedStorage::begin_outdated(const Parts& parts,
                                                                    const FlushBeginRequest& request,
                                                                    std::vector<FlushBeginReply> begun) {
  const auto conflicts = [](const FlushBeginReply& part) { return part.conflict; };
  if (std::any_of(begun.begin(), begun.end(), conflicts)) return begun;
  for (size_t i = 0; i < begun.size(); ++i) {
    if (!begun[i].outdated) continue;
    RETURN_IF_ERROR(parts.services[i]->outside_changed(request.id, *begun[i].outdated));
    ASSIGN_OR_RETURN(begun[i], parts.services[i]->flush_begin(request));
    // Written in this moment, or the outside was: it is not said which, and the next try finds out.
    if (begun[i].outdated) return fail(EBUSY, "inode {}: changes while its flush begins", request.id);
  }
  return begun;
}

Status StripedStorage::flush_resize(InodeId id, uint64_t base, uint64_t size) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
  return parts.first().flush_resize(id, base, size);
}

Status StripedStorage::flush_move(InodeId id) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
  return tell_all(parts, [id](StorageService& part) { return part.flush_move(id); });
}

// The first part finishes the external file, with the latest mtime that any part that was changed has; the others take
// its version. If one of them does not, its flush stands unfinished: the next one takes what it finds for its own work.
Result<FlushCommitReply> StripedStorage::flush_commit(const FlushCommitRequest& request) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(request.id));
  if (parts.alone()) return parts.first().flush_commit(request);
  ASSIGN_OR_RETURN(const ChunkState state, stat_parts(request.id, parts));
  FlushCommitRequest finish = request;
  if (state.dirty) finish.mtime = state.mtime;
  ASSIGN_OR_RETURN(FlushCommitReply whole, parts.first().flush_commit(finish));
  Parts others = parts;
  others.services.erase(others.services.begin());
  ASSIGN_OR_RETURN(const auto done, ask_all(others, [&](StorageService& part) {
                     return part.flush_commit({request.id, {}, whole.version});
                   }));
  for (const FlushCommitReply& part : done) {
    whole.ctime = std::max(whole.ctime, part.ctime);
    whole.clean = whole.clean && part.clean;
    whole.leased = whole.leased || part.leased;
  }
  return whole;
}

void StripedStorage::flush_abort(InodeId id) {
  const Result<Parts> parts = parts_of(id);
  if (parts) in_parallel(parts->services.size(), [&](size_t i) { parts->services[i]->flush_abort(id); });
}

Status StripedStorage::copy_out(InodeId id, const ExternalRef& to, uint64_t size) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
  return tell_all(parts, [&](StorageService& part) { return part.copy_out(id, to, size); });
}

}  // namespace forebay
