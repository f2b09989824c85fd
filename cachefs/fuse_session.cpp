#include "cachefs/fuse_session.h"

#include <fcntl.h>
#include <fuse_log.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "core/log.h"
#include "core/unique_fd.h"

namespace forebay::cachefs {
namespace {

// As many as there can be open files.
constexpr size_t kMostRevocations = 1 << 20;

std::string last_fuse_message;  // written before any thread is started

void take_fuse_log(fuse_log_level level, const char* format, va_list arguments) {
  constexpr size_t kMostBytes = 1024;
  char line[kMostBytes];
  std::vsnprintf(line, sizeof(line), format, arguments);
  std::string text(line);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (level <= FUSE_LOG_ERR && last_fuse_message.empty()) last_fuse_message = text;
  log(Module::kCachefs).log(level <= FUSE_LOG_ERR ? spdlog::level::err : spdlog::level::debug, "libfuse: {}", text);
}

// A comma ends an option, unless it is escaped.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string mount_options(const MountOptions& options) {
  std::string list = "subtype=forebay,default_permissions,fsname=" + escaped(options.external);
  if (::geteuid() == 0) {
    // As open as the external directory is mounted, no more: what runs there runs here.
    struct statvfs outside = {};
    (void)::statvfs(options.external.c_str(), &outside);
    list += ",allow_other";
    list += (outside.f_flag & ST_NOSUID) != 0 ? ",nosuid" : ",suid";
    list += (outside.f_flag & ST_NODEV) != 0 ? ",nodev" : ",dev";
    if ((outside.f_flag & ST_NOEXEC) != 0) list += ",noexec";
    if ((outside.f_flag & ST_RDONLY) != 0) list += ",ro";
  }
  for (const std::string& option : options.fuse_options) list += "," + option;
  return list;
}

}  // namespace

FuseSession::FuseSession(fuse_session* fuse, Session& session)
    : fuse_(fuse),
      session_(session),
      revocations_([this](Revocation revocation) { revoke(revocation); }, kMostRevocations) {}

Result<std::unique_ptr<FuseSession>> FuseSession::mount(Session& session) {
  fuse_set_log_func(take_fuse_log);
  const std::string list = mount_options(session.options);
  const char* argv[] = {"forebay", "-o", list.c_str(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, const_cast<char**>(argv));
  const fuse_lowlevel_ops& table = operations(session.in_cluster());
  fuse_session* fuse = fuse_session_new(&args, &table, sizeof(table), &session);
  fuse_opt_free_args(&args);
  if (fuse == nullptr) return fail(EINVAL, "mount options {}: {}", list, last_fuse_message);
  std::unique_ptr<FuseSession> mounted(new FuseSession(fuse, session));
  if (fuse_set_signal_handlers(fuse) != 0) return fail(EIO, "signal handlers: {}", last_fuse_message);
  session.ring.prepare();
  if (fuse_session_mount(fuse, session.options.mountpoint.c_str()) != 0) {
    const std::string reason = last_fuse_message.empty() ? "the kernel refused it" : last_fuse_message;
    return fail(EPERM, "mount on {}: {}", session.options.mountpoint, reason);
  }
  session.ring.attach(fuse);
  return mounted;
}

FuseSession::~FuseSession() {
  fuse_session_unmount(fuse_);
  fuse_remove_signal_handlers(fuse_);
  fuse_session_destroy(fuse_);
}

Status FuseSession::serve(uint32_t threads, const std::function<void()>& ready) {
  revocations_.start(1);
  ready();
  const Status served = serve_requests(threads);
  session_.lock_waits.stop();
  end_revocations();
  session_.ring.end();
  if (session_.in_cluster()) session_.tell_queue.end();
  return served;
}

Status FuseSession::serve_requests(uint32_t threads) {
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 12)
  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 0);
  fuse_loop_cfg_set_max_threads(config, threads);
  // Threads are kept: starting one for each burst of requests costs more than a sleeping one.
  fuse_loop_cfg_set_idle_threads(config, threads);
  const int ended = fuse_session_loop_mt(fuse_, config);
  fuse_loop_cfg_destroy(config);
#else
  fuse_loop_config config = {0, threads};
  const int ended = fuse_session_loop_mt(fuse_, &config);
#endif
  // Positive: a signal, which is an orderly end.
  if (ended < 0) return fail(-ended, "the connection to the kernel");
  return {};
}

void FuseSession::revoke_pages(InodeId id, uint64_t generation) {
  revocations_.push({id, generation, std::chrono::steady_clock::now()});
}

// The kernel waits for pages that are being read or written back, and for an unmount: so not in a thread that serves
// requests. Neither can it be killed then, nor the mount with it; so it does not come to that while the outside lets a
// read wait.
void FuseSession::revoke(Revocation revocation) {
  constexpr off_t kNoPages = -1;
  constexpr off_t kWholeFile = 0;
  constexpr std::chrono::milliseconds kTurn{10};
  // ENOENT: the kernel knows nothing of it.
  if (revocation.turns++ == 0) (void)fuse_lowlevel_notify_inval_inode(fuse_, revocation.id, kNoPages, 0);
  if (!session_.storage.await_reads(revocation.id, revocation.began, kTurn)) return revocations_.push(revocation);
  (void)fuse_lowlevel_notify_inval_inode(fuse_, revocation.id, kWholeFile, 0);
  session_.meta.pages_revoked(revocation.id, revocation.generation);
}

// The one under way may wait for a page whose read nobody has taken yet; so requests are served until it is through.
void FuseSession::end_revocations() {
  const UniqueFd over(::eventfd(0, EFD_CLOEXEC));
  std::thread ending([&] {
    revocations_.stop();
    ::eventfd_write(over.get(), 1);
  });
  fuse_session_reset(fuse_);
  const int device = fuse_session_fd(fuse_);
  ::fcntl(device, F_SETFL, ::fcntl(device, F_GETFL) | O_NONBLOCK);  // a request may be taken back after poll(2)
  fuse_buf request = {};
  pollfd watched[] = {{over.get(), POLLIN, 0}, {device, POLLIN, 0}};
  for (;;) {
    const int events = ::poll(watched, std::size(watched), -1);
    if (events > 0 && watched[0].revents != 0) break;
    if ((watched[1].revents & POLLERR) != 0) watched[1].fd = -1;  // unmounted: the kernel waits for nobody any more
    if (events <= 0 || (watched[1].revents & POLLIN) == 0) continue;
    if (fuse_session_receive_buf(fuse_, &request) > 0) fuse_session_process_buf(fuse_, &request);
  }
  ending.join();
  std::free(request.mem);
}

}  // namespace forebay::cachefs
