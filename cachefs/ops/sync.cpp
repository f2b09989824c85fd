// flush (an application closes a descriptor) and fsync. Both tell of a write-back that failed since.
#include <fcntl.h>

#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

void reply_synced(fuse_req_t request, InodeId inode, const Status& done, std::atomic<uint64_t>& seen) {
  const Status late = late_error(session_of(request), inode, seen);
  reply_status(request, done ? late : done);
}

}  // namespace

void flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  Session& session = session_of(request);
  if (session.in_cluster()) {
    end_locks_of_closer(session, inode, info);
    const bool only_read = (handle_of(info).flags & O_ACCMODE) == O_RDONLY;
    if (only_read) return reply_status(request, {});  // as without a flush, which it would have been elsewhere
  }
  // A child that was forked closes what it has not opened before its program begins (exec), and must not wait there for
  // a server of the cluster that is away, unless the policy has every close wait.
  const FlushPolicy policy = session.options.config.flush.policy;
  const bool asks = !session.in_cluster() || policy == FlushPolicy::kOnClose || policy == FlushPolicy::kWriteThrough;
  Status closed = asks ? session.meta.close(inode) : Status{};
  if (asks && closed && handle_of(info).access == Access::kPassthrough) {
    (void)session.storage.stat_file(inode);    // counts what was written past us
    closed = session.meta.after_write(inode);  // and who wrote it waits here for what has become too much
  }
  // Nothing that was written since is due; what others have written is reported to them.
  constexpr std::chrono::seconds kMoment{1};
  if (!asks && std::chrono::steady_clock::now() - handle_of(info).opened_at < kMoment) return reply_status(request, {});
  reply_synced(request, inode, closed, handle_of(info).seen_by_close);
}

void fsync(fuse_req_t request, fuse_ino_t inode, int, fuse_file_info* info) {
  reply_synced(request, inode, session_of(request).meta.fsync(inode), handle_of(info).seen_by_fsync);
}

}  // namespace forebay::cachefs::ops
