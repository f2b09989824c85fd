// init: what we ask of the kernel.
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cachefs/ops.h"
#include "cachefs/session.h"
#include "core/log.h"

namespace forebay::cachefs::ops {
namespace {

void want(fuse_conn_info* connection, unsigned capability, const char* name) {
  if ((connection->capable & capability) != 0) {
    connection->want |= capability;
  } else {
    log(Module::kCachefs).info("this kernel has no {}", name);
  }
}

void want_passthrough([[maybe_unused]] fuse_conn_info* connection, Session& session) {
  BackingTable& backing = session.backing;
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  if ((connection->capable & FUSE_CAP_PASSTHROUGH) == 0) return backing.disable("this kernel has none");
  if (::geteuid() != 0) return backing.disable("the kernel gives it to root alone");
  connection->want |= FUSE_CAP_PASSTHROUGH;
  // Of an overlay and us only one can lie over the other: in a container the cache directory may be on one.
  struct statfs disk = {};
  const std::vector<std::string>& caches = session.options.caches;
  const bool stacked =
      !caches.empty() && ::statfs(caches.front().c_str(), &disk) == 0 && disk.f_type == OVERLAYFS_SUPER_MAGIC;
  connection->max_backing_stack_depth = stacked ? FUSE_BACKING_STACKED_OVER : FUSE_BACKING_STACKED_UNDER;
#else
  backing.disable("this libfuse has none");
#endif
}

}  // namespace

void init(void* userdata, fuse_conn_info* connection) {
  want(connection, FUSE_CAP_ATOMIC_O_TRUNC, "atomic O_TRUNC");
  want(connection, FUSE_CAP_DONT_MASK, "umask of the caller");  // the outside applies it, after its default ACLs
  want(connection, FUSE_CAP_POSIX_ACL, "POSIX ACLs");
  want(connection, FUSE_CAP_IOCTL_DIR, "ioctl on directories");
  want(connection, FUSE_CAP_PARALLEL_DIROPS, "parallel directory operations");
  // Not by itself, when it sees another mtime: it would take pages away whose write is still on its way to us, and a
  // read that overtakes that write would bring the old bytes back. FuseSession::revoke_pages() says when.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
  want(connection, FUSE_CAP_EXPLICIT_INVAL_DATA, "page cache that is dropped on request alone");
  want(connection, FUSE_CAP_ASYNC_READ, "asynchronous reads");
  want(connection, FUSE_CAP_ASYNC_DIO, "asynchronous direct I/O");
  want(connection, FUSE_CAP_READDIRPLUS, "readdirplus");
  want(connection, FUSE_CAP_READDIRPLUS_AUTO, "adaptive readdirplus");
  // Dirty pages in the kernel would be data that nobody could throttle, and errors that come after the write.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);
  // The kernel tells with each write whether setuid bits must go, instead of asking for file capabilities before each
  // write, and of a chmod as a caller who may not do it.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_HANDLE_KILLPRIV);
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  want(connection, FUSE_CAP_HANDLE_KILLPRIV_V2, "setuid bits taken off by the file system");
#else
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_HANDLE_KILLPRIV_V2);
#endif
  Session& session = *static_cast<Session*>(userdata);
  want(connection, FUSE_CAP_SPLICE_WRITE, "splice");
  session.can_splice = (connection->want & FUSE_CAP_SPLICE_WRITE) != 0;
  want_passthrough(connection, session);
  // What lies on another node is mapped through pages of this kernel, which others' writes do not change.
  if (session.in_cluster()) want(connection, FUSE_CAP_DIRECT_IO_ALLOW_MMAP, "mappings of direct handles");
  session.kernel_strips = (connection->want & FUSE_CAP_HANDLE_KILLPRIV_V2) == 0;
  constexpr unsigned kEpochsSince = 44;  // FUSE_NOTIFY_INC_EPOCH: protocol 7.44, Linux 6.16
  session.names = connection->proto_minor >= kEpochsSince ? Session::Names::kKept : Session::Names::kNotKept;
  session.names.notify_all();
  constexpr unsigned kRequestBytes = 1 << 20;
  connection->max_write = kRequestBytes;
  // The pipe of a spliced reply holds 1 MiB, for other users than root, and that is with the header.
  connection->max_readahead = ::geteuid() == 0 ? kRequestBytes : kRequestBytes / 2;
  constexpr unsigned kBackgroundRequests = 64;
  connection->max_background = kBackgroundRequests;
  connection->congestion_threshold = kBackgroundRequests * 3 / 4;
  connection->time_gran = 1;  // ns
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  // Only a wait for a lock of another node can be interrupted; libfuse needs no list of requests without.
  connection->no_interrupt = session.in_cluster() ? 0 : 1;
#endif
}

}  // namespace forebay::cachefs::ops
