// slowfs: a passthrough file system that plays a slow, narrow or broken one (knobs.h), so that one machine can play a
// parallel file system.
//
//   forebay_slowfs BACKING MOUNTPOINT [KNOB=VALUE...]     stays in the foreground until it is unmounted
//   setfattr -n user.slowfs.hang -v read MOUNTPOINT       changes a knob while it runs
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "knobs.h"
#include "operations.h"

namespace forebay::slowfs {
namespace {

// Operations that wait hold a thread each.
constexpr unsigned kMostThreads = 128;
constexpr int kUsage = 2;

int serve(const fuse_operations& table, const char* mountpoint) {
  fuse_args arguments{};
  for (const char* word : {"slowfs", "-oallow_other,default_permissions,fsname=slowfs,subtype=slowfs"}) {
    if (::fuse_opt_add_arg(&arguments, word) != 0) return 1;
  }
  fuse* const session = ::fuse_new(&arguments, &table, sizeof(table), nullptr);
  int result = 1;
  if (session != nullptr && ::fuse_mount(session, mountpoint) == 0) {
    ::fuse_set_signal_handlers(::fuse_get_session(session));
    fuse_loop_config* const loop = ::fuse_loop_cfg_create();
    ::fuse_loop_cfg_set_max_threads(loop, kMostThreads);
    ::fuse_loop_cfg_set_idle_threads(loop, kMostThreads);
    result = ::fuse_loop_mt(session, loop) == 0 ? 0 : 1;
    ::fuse_loop_cfg_destroy(loop);
    knobs().end();
    ::fuse_unmount(session);
  }
  if (session != nullptr) ::fuse_destroy(session);
  ::fuse_opt_free_args(&arguments);
  return result;
}

}  // namespace
}  // namespace forebay::slowfs

int main(int argc, char** argv) {
  using namespace forebay::slowfs;
  if (argc < 3) {
    fmt::print(stderr,
               "usage: forebay_slowfs BACKING MOUNTPOINT [latency_us=N] [bandwidth=BYTES] [fail=...] [hang=...]\n");
    return kUsage;
  }
  for (int i = 3; i < argc; ++i) {
    const char* const equals = std::strchr(argv[i], '=');
    if (equals == nullptr || knobs().set({argv[i], static_cast<size_t>(equals - argv[i])}, equals + 1) != 0) {
      fmt::print(stderr, "slowfs: {}: no such knob, or no value for it\n", argv[i]);
      return kUsage;
    }
  }
  const int backing = ::open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (backing < 0) {
    fmt::print(stderr, "slowfs: {}: {}\n", argv[1], std::strerror(errno));
    return 1;
  }
  ::umask(0);  // the kernel has applied the caller's
  return serve(operations(backing), argv[2]);
}
