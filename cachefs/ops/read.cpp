// read, lseek.
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {

void read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info*) {
  const std::span<char> buffer = RingTransport::reply_space(size);
  const Result<size_t> bytes = session_of(request).storage.read(inode, static_cast<uint64_t>(offset), buffer);
  if (!bytes) return reply_error(request, bytes.error());
  fuse_reply_buf(request, buffer.data(), *bytes);
}

void lseek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence, fuse_file_info*) {
  // SEEK_DATA and SEEK_HOLE; the kernel does the others itself.
  const Result<uint64_t> found = session_of(request).storage.seek({inode, static_cast<uint64_t>(offset), whence});
  if (!found) return reply_error(request, found.error());
  fuse_reply_lseek(request, static_cast<off_t>(*found));
}

}  // namespace forebay::cachefs::ops
