// opendir, readdir, readdirplus, releasedir, fsyncdir.
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

void list(fuse_req_t request, size_t size, off_t offset, fuse_file_info* info, bool with_attributes) {
  const std::span<char> buffer = RingTransport::reply_space(size);
  size_t used = 0;
  Session& session = session_of(request);
  const Delegations::Question question(session.delegations);
  const auto sink = [&](const DirectoryEntry& entry) {
    const std::string name(entry.name);
    char* at = buffer.data() + used;
    const size_t left = buffer.size() - used;
    fuse_entry_param param = {};  // ino 0: the kernel learns the name, not the object
    if (entry.entry != nullptr) param = entry_param_of(*entry.entry);
    param.attr.st_ino = entry.inode_number;
    param.attr.st_mode = entry.entry != nullptr ? param.attr.st_mode : entry.type;
    const auto next = static_cast<off_t>(entry.next);
    const size_t needed = with_attributes ? fuse_add_direntry_plus(request, at, left, name.c_str(), &param, next)
                                          : fuse_add_direntry(request, at, left, name.c_str(), &param.attr, next);
    if (needed > left) return false;
    used += needed;
    if (entry.entry != nullptr) session.delegations.take(question, entry.entry->id, *entry.entry);
    return true;
  };
  const Status done = session.meta.readdir(info->fh, static_cast<uint64_t>(offset), with_attributes, sink);
  if (!done && used == 0) return reply_error(request, done.error());
  fuse_reply_buf(request, buffer.data(), used);
}

}  // namespace

void opendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  MetaService& meta = session_of(request).meta;
  const Result<OpenDirectoryReply> reply = meta.opendir(caller_of(request, Groups::kAll), inode);
  if (!reply) return reply_error(request, reply.error());
  info->fh = reply->handle;
  const bool alone = !session_of(request).in_cluster();
  info->cache_readdir = alone ? 1 : 0;
  info->keep_cache = alone && reply->keep_listing ? 1 : 0;
  if (fuse_reply_open(request, info) == -ENOENT) meta.releasedir(reply->handle);
}

void readdir(fuse_req_t request, fuse_ino_t, size_t size, off_t offset, fuse_file_info* info) {
  list(request, size, offset, info, false);
}

void readdirplus(fuse_req_t request, fuse_ino_t, size_t size, off_t offset, fuse_file_info* info) {
  list(request, size, offset, info, true);
}

void releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  session_of(request).meta.releasedir(info->fh);
  fuse_reply_err(request, 0);
}

void fsyncdir(fuse_req_t request, fuse_ino_t, int, fuse_file_info* info) {
  reply_status(request, session_of(request).meta.fsyncdir(info->fh));
}

}  // namespace forebay::cachefs::ops
