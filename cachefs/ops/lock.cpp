// getlk, setlk, flock; and the locks that end with a descriptor. Only of a client of a cluster: elsewhere the kernel
// does all of it by itself. The server of the inode has the locks (meta/lock_table.h).
#include <fcntl.h>
#include <sys/file.h>

#include "cachefs/ops.h"
#include "cachefs/session.h"
#include "core/protocol/remote_call.h"

namespace forebay::cachefs::ops {
namespace {

LockRequest lock_of(InodeId id, LockSpace space, const fuse_file_info* info, bool exclusive) {
  LockRequest lock;
  lock.id = id;
  lock.space = space;
  lock.owner.number = info->lock_owner;
  lock.exclusive = exclusive;
  return lock;
}

LockRequest record_of(InodeId id, const fuse_file_info* info, const struct flock& from) {
  LockRequest lock = lock_of(id, LockSpace::kRecord, info, from.l_type == F_WRLCK);
  lock.begin = static_cast<uint64_t>(from.l_start);
  lock.end = from.l_len == 0 ? kLockToTheEnd : lock.begin + static_cast<uint64_t>(from.l_len);
  lock.pid = from.l_pid;
  return lock;
}

// Asks a second time if what stood in the way may be a lock whose end was under way.
template <typename Ask, typename Taken>
auto twice(Session& session, InodeId id, Ask ask, Taken is_taken) {
  const uint64_t ends = session.lock_book.ends();
  auto reply = ask();
  if (is_taken(reply) && session.lock_book.await_ends(id, ends)) reply = ask();
  return reply;
}

void set_lock(fuse_req_t request, const LockRequest& lock, const fuse_file_info* info, bool wait) {
  Session& session = session_of(request);
  session.lock_book.note(lock, info->fh);
  if (wait) return session.lock_waits.wait_for(request, lock);
  const Result<bool> granted = twice(
      session, lock.id, [&] { return session.meta.lock(lock, false); },
      [](const Result<bool>& reply) { return !reply && reply.error().code == EAGAIN; });
  reply_status(request, granted ? Status{} : Failure(granted.error()));
}

}  // namespace

void getlk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info, struct flock* lock) {
  Session& session = session_of(request);
  const LockRequest wanted = record_of(inode, info, *lock);
  const auto found = twice(
      session, inode, [&] { return session.meta.test_lock(wanted); },
      [](const Result<std::optional<HeldLock>>& reply) { return reply && *reply; });
  if (!found) return reply_error(request, found.error());
  lock->l_type = F_UNLCK;
  if (*found) {
    const HeldLock& held = **found;
    lock->l_type = held.exclusive ? F_WRLCK : F_RDLCK;
    lock->l_start = static_cast<off_t>(held.begin);
    lock->l_len = held.end == kLockToTheEnd ? 0 : static_cast<off_t>(held.end - held.begin);
    lock->l_pid = held.pid;
  }
  fuse_reply_lock(request, lock);
}

void setlk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info, struct flock* lock, int sleep) {
  const LockRequest wanted = record_of(inode, info, *lock);
  if (lock->l_type == F_UNLCK) return reply_status(request, session_of(request).meta.unlock(wanted));
  set_lock(request, wanted, info, sleep != 0);
}

void flock(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info, int operation) {
  const LockRequest wanted = lock_of(inode, LockSpace::kFlock, info, (operation & LOCK_EX) != 0);
  if ((operation & LOCK_UN) != 0) return reply_status(request, session_of(request).meta.unlock(wanted));
  set_lock(request, wanted, info, (operation & LOCK_NB) == 0);
}

void end_locks_of_closer(Session& session, InodeId id, const fuse_file_info* info) {
  if (!session.lock_book.closed(id, info->lock_owner, info->fh)) return;
  log_untold(session.meta.unlock(lock_of(id, LockSpace::kRecord, info, false)), "unlock at a close");
}

void end_locks_of_handle(Session& session, InodeId id, const fuse_file_info* info) {
  const std::vector<LockRequest> locks = session.lock_book.released(id, info->fh);
  if (locks.empty()) return;
  for (const LockRequest& lock : locks) log_untold(session.meta.unlock(lock), "unlock at the last close");
  session.lock_book.ended(locks);
}

}  // namespace forebay::cachefs::ops
