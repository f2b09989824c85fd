// read, lseek.
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

// The kernel takes the pages of the chunk file as they are. Over io_uring it can't, and for little it is not worth it.
bool splice(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset) {
  constexpr size_t kLeast = 32 << 10;
  Session& session = session_of(request);
  if (!session.can_splice || size < kLeast || RingTransport::serves_this_thread()) return false;
  return session.storage.read_in_place(
      inode, static_cast<uint64_t>(offset), size, [&](int fd, uint64_t at, size_t bytes) {
        fuse_bufvec source = FUSE_BUFVEC_INIT(bytes);
        source.buf[0].flags = static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK);
        source.buf[0].fd = fd;
        source.buf[0].pos = static_cast<off_t>(at);
        fuse_reply_data(request, &source, fuse_buf_copy_flags{});
      });
}

}  // namespace

void read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* info) {
  if (splice(request, inode, size, offset)) return;
  ReadAhead::Reader* const reader = handle_of(info).reader.get();
  const auto hand_over = [request](std::span<const iovec> data) {
    fuse_reply_iov(request, data.data(), static_cast<int>(data.size()));
  };
  if (reader != nullptr && reader->read(static_cast<uint64_t>(offset), size, hand_over)) return;
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
