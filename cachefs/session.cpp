#include "cachefs/session.h"

#include <sys/stat.h>

#include "core/log.h"

namespace forebay::cachefs {

Caller caller_of(fuse_req_t request, Groups groups) {
  const fuse_ctx* context = fuse_req_ctx(request);
  Caller caller{context->uid, context->gid, context->pid, context->umask, {}};
  if (groups == Groups::kNone || caller.uid == 0) return caller;
  constexpr int kUsual = 64;
  caller.groups.resize(kUsual);
  int count = fuse_req_getgroups(request, kUsual, caller.groups.data());
  if (count > kUsual) {
    caller.groups.resize(static_cast<size_t>(count));
    count = fuse_req_getgroups(request, count, caller.groups.data());
  }
  caller.groups.resize(static_cast<size_t>(std::max(0, count)));
  return caller;
}

void reply_error(fuse_req_t request, const Error& error) {
  if (!error.context.empty()) log(Module::kCachefs).debug("{}", error.message());
  int code = error.code;
  if (code == ENOTCONN) code = EIO;  // it would say that this mount is dead; it is the outside that is
  if (code == ECONNREFUSED || code == ECONNRESET) code = EHOSTUNREACH;  // a server of the cluster
  fuse_reply_err(request, code);
}

struct stat stat_of(const Attributes& attributes) {
  struct stat stat = {};
  stat.st_ino = attributes.inode_number;
  stat.st_mode = attributes.mode;
  stat.st_nlink = attributes.link_count;
  stat.st_uid = attributes.uid;
  stat.st_gid = attributes.gid;
  stat.st_rdev = attributes.device_number;
  stat.st_size = static_cast<off_t>(attributes.size);
  stat.st_blocks = static_cast<blkcnt_t>(attributes.blocks);
  stat.st_blksize = static_cast<blksize_t>(attributes.block_size);
  stat.st_atim = attributes.atime.to_timespec();
  stat.st_mtim = attributes.mtime.to_timespec();
  stat.st_ctim = attributes.ctime.to_timespec();
  return stat;
}

double seconds_of(std::chrono::milliseconds time) { return std::chrono::duration<double>(time).count(); }

fuse_entry_param entry_param_of(const EntryReply& entry) {
  fuse_entry_param param = {};
  param.ino = entry.id;
  param.generation = 1;  // inode numbers of ours are never used twice
  param.attr = stat_of(entry.attributes);
  param.attr_timeout = param.entry_timeout = seconds_of(entry.valid_for);
  return param;
}

Status late_error(Session& session, InodeId id, std::atomic<uint64_t>& seen) {
  const uint64_t failures = session.meta.flush_failures(id);
  if (seen.exchange(failures) == failures) return {};
  const Error error = session.meta.last_flush_error(id);
  return Failure(Error{error.code == 0 ? EIO : error.code, error.context});
}

}  // namespace forebay::cachefs
