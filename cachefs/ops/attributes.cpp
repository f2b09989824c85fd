// getattr, setattr, statfs.
#include <sys/statvfs.h>

#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

void reply_attributes(fuse_req_t request, const Result<AttributesReply>& reply) {
  if (!reply) return reply_error(request, reply.error());
  const struct stat stat = stat_of(reply->attributes);
  fuse_reply_attr(request, &stat, seconds_of(reply->valid_for));
}

}  // namespace

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  Session& session = session_of(request);
  const Delegations::Question question(session.delegations);
  const Result<AttributesReply> reply = session.meta.getattr(inode);
  if (reply) session.delegations.take(question, inode, *reply);
  reply_attributes(request, reply);
}

void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* attributes, int to_set, fuse_file_info*) {
  SetAttributes change;
  change.set_mode = (to_set & FUSE_SET_ATTR_MODE) != 0;
  change.set_uid = (to_set & FUSE_SET_ATTR_UID) != 0;
  change.set_gid = (to_set & FUSE_SET_ATTR_GID) != 0;
  change.set_size = (to_set & FUSE_SET_ATTR_SIZE) != 0;
  change.atime_now = (to_set & FUSE_SET_ATTR_ATIME_NOW) != 0;
  change.mtime_now = (to_set & FUSE_SET_ATTR_MTIME_NOW) != 0;
  change.set_atime = change.atime_now || (to_set & FUSE_SET_ATTR_ATIME) != 0;
  change.set_mtime = change.mtime_now || (to_set & FUSE_SET_ATTR_MTIME) != 0;
#ifdef FUSE_SET_ATTR_KILL_SUID
  change.strip_set_id_bits = (to_set & FUSE_SET_ATTR_KILL_SUID) != 0;
#endif
  change.mode = attributes->st_mode;
  change.uid = attributes->st_uid;
  change.gid = attributes->st_gid;
  change.size = static_cast<uint64_t>(attributes->st_size);
  change.atime = FileTime::of(attributes->st_atim);
  change.mtime = FileTime::of(attributes->st_mtim);
  Session& session = session_of(request);
  const Result<AttributesReply> changed = session.meta.setattr(caller_of(request, Groups::kAll), inode, change);
  if (change.set_size) changes_data(session, inode);
  reply_attributes(request, changed);
}

void statfs(fuse_req_t request, fuse_ino_t inode) {
  const Result<struct statvfs> outside = session_of(request).meta.statfs(inode);
  if (!outside) return reply_error(request, outside.error());
  fuse_reply_statfs(request, &*outside);
}

}  // namespace forebay::cachefs::ops
