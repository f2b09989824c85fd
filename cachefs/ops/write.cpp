// write, fallocate, copy_file_range.
#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

// Before a change of data: setuid bits and capabilities, unless the kernel does it.
Status strip_privileges(fuse_req_t request, InodeId inode, const fuse_file_info* info, bool set_id_bits) {
  Session& session = session_of(request);
  if (session.kernel_strips) return {};
  // Who writes is mostly who opened; asking for the groups of others is costly.
  const Caller& opener = handle_of(info).opener;
  if (opener.uid == fuse_req_ctx(request)->uid) return session.meta.strip_privileges(opener, inode, set_id_bits);
  return session.meta.strip_privileges(caller_of(request, Groups::kAll), inode, set_id_bits);
}

bool told_to_strip([[maybe_unused]] const fuse_file_info* info) {
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  return info->kill_suidgid != 0;
#else
  return false;
#endif
}

// What was written may have to go out at once, or be too much; in a cluster the storage servers see to that.
Status settle(Session& session, InodeId inode) {
  return session.in_cluster() ? Status{} : session.meta.after_write(inode);
}

Result<size_t> copy(Session& session, InodeId from, uint64_t offset_in, InodeId to, uint64_t offset_out,
                    size_t length) {
  constexpr size_t kBlockBytes = 1 << 20;
  constexpr size_t kMostBytes = 64 << 20;  // a longer request is answered in part; the caller comes again
  std::vector<char> block(std::min(length, kBlockBytes));
  size_t copied = 0;
  while (copied < std::min(length, kMostBytes)) {
    const size_t wanted = std::min(block.size(), length - copied);
    ASSIGN_OR_RETURN(const size_t bytes, session.storage.read(from, offset_in + copied, {block.data(), wanted}));
    if (bytes == 0) break;
    const Status written = session.storage.write(to, offset_out + copied, {block.data(), bytes});
    if (!written && copied > 0) break;
    RETURN_IF_ERROR(written);
    copied += bytes;
  }
  return copied;
}

}  // namespace

void write(fuse_req_t request, fuse_ino_t inode, const char* data, size_t size, off_t offset, fuse_file_info* info) {
  Session& session = session_of(request);
  Status done = strip_privileges(request, inode, info, told_to_strip(info));
  // In a cluster the end of the file is not what this kernel believes.
  const bool appends = session.in_cluster() && (info->flags & O_APPEND) != 0;
  if (done) done = session.storage.write(inode, appends ? kAtEnd : static_cast<uint64_t>(offset), {data, size});
  if (done) done = settle(session, inode);
  // Through the page cache the kernel asks for this itself.
  const FileHandle& handle = handle_of(info);
  if (done && handle.access != Access::kCached && (handle.flags & O_DSYNC) != 0) done = session.meta.fsync(inode);
  if (!done) return reply_error(request, done.error());
  fuse_reply_write(request, size);
}

void fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length, fuse_file_info* info) {
  Session& session = session_of(request);
  // Of fallocate and copy_file_range the kernel does not tell; root keeps the bits there as well.
  Status done = strip_privileges(request, inode, info, fuse_req_ctx(request)->uid != 0);
  if (done) done = session.storage.allocate(inode, mode, static_cast<uint64_t>(offset), static_cast<uint64_t>(length));
  if (done) done = settle(session, inode);
  reply_status(request, done);
}

void copy_file_range(fuse_req_t request, fuse_ino_t inode_in, off_t offset_in, fuse_file_info*, fuse_ino_t inode_out,
                     off_t offset_out, fuse_file_info* info_out, size_t length, int) {
  Session& session = session_of(request);
  const bool set_id_bits = fuse_req_ctx(request)->uid != 0;
  if (Status done = strip_privileges(request, inode_out, info_out, set_id_bits); !done) {
    return reply_error(request, done.error());
  }
  const Result<size_t> copied =
      copy(session, inode_in, static_cast<uint64_t>(offset_in), inode_out, static_cast<uint64_t>(offset_out), length);
  if (!copied) return reply_error(request, copied.error());
  if (Status settled = settle(session, inode_out); !settled) return reply_error(request, settled.error());
  fuse_reply_write(request, *copied);
}

}  // namespace forebay::cachefs::ops
