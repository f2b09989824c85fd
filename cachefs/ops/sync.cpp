// flush (an application closes a descriptor) and fsync. Both tell of a write-back that failed since.
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

void reply_synced(fuse_req_t request, InodeId inode, const Status& done, fuse_file_info* info) {
  const Status late = late_error(session_of(request), inode, handle_of(info));
  reply_status(request, done ? late : done);
}

}  // namespace

void flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  reply_synced(request, inode, session_of(request).meta.close(inode), info);
}

void fsync(fuse_req_t request, fuse_ino_t inode, int, fuse_file_info* info) {
  reply_synced(request, inode, session_of(request).meta.fsync(inode), info);
}

}  // namespace forebay::cachefs::ops
