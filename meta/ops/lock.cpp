// Locks between clients: what LockTable keeps; and the end of a client.
#include <algorithm>

#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

Result<std::set<uint64_t>> MetaServer::keep_locks_in(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<LockStore> store, LockStore::open(path));
  return locks_.keep_in(std::move(store));
}

Result<bool> MetaServer::lock(const LockRequest& request, bool wait) { return locks_.lock(request, wait); }

Status MetaServer::unlock(const LockRequest& request) { return locks_.unlock(request); }

Result<std::optional<HeldLock>> MetaServer::test_lock(const LockRequest& request) {
  const std::optional<LockRanges::Range> found = locks_.test(request);
  if (!found) return std::optional<HeldLock>();
  // On its own node another process, or none, may have that number.
  const bool ours = found->owner.session == request.owner.session;
  return HeldLock{found->begin, found->end, found->exclusive, ours ? found->pid : 0};
}

Result<LockNews> MetaServer::await_locks(std::span<const LockRequest> waits, uint64_t ended,
                                         std::chrono::milliseconds limit) {
  // The thread is one of those that serve all clients.
  constexpr std::chrono::milliseconds kLongest{1000};
  return locks_.await(waits, ended, std::min(limit, kLongest));
}

Result<bool> MetaServer::cancel_lock(const LockRequest& request) { return locks_.cancel(request); }

void MetaServer::end_session(uint64_t session) {
  answers_.end_session(session);
  const size_t had = locks_.end_session(session);
  if (had > 0) log(Module::kMeta).info("a client is gone: {} locks and waits for locks end", had);
}

}  // namespace forebay::meta
