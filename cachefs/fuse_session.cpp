#include "cachefs/fuse_session.h"

#include <fuse_log.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/log.h"

namespace forebay::cachefs {
namespace {

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

Result<std::unique_ptr<FuseSession>> FuseSession::mount(Session& session) {
  fuse_set_log_func(take_fuse_log);
  const std::string list = mount_options(session.options);
  const char* argv[] = {"forebay", "-o", list.c_str(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, const_cast<char**>(argv));
  fuse_session* fuse = fuse_session_new(&args, &operations(), sizeof(fuse_lowlevel_ops), &session);
  fuse_opt_free_args(&args);
  if (fuse == nullptr) return fail(EINVAL, "mount options {}: {}", list, last_fuse_message);
  std::unique_ptr<FuseSession> mounted(new FuseSession(fuse, session.ring));
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
  fuse_session_unmount(session_);
  fuse_remove_signal_handlers(session_);
  fuse_session_destroy(session_);
}

Status FuseSession::serve(uint32_t threads, const std::function<void()>& ready) {
  ready();
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 12)
  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 0);
  fuse_loop_cfg_set_max_threads(config, threads);
  // Threads are kept: starting one for each burst of requests costs more than a sleeping one.
  fuse_loop_cfg_set_idle_threads(config, threads);
  const int ended = fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);
#else
  fuse_loop_config config = {0, threads};
  const int ended = fuse_session_loop_mt(session_, &config);
#endif
  ring_.end();
  // Positive: a signal, which is an orderly end.
  if (ended < 0) return fail(-ended, "the connection to the kernel");
  return {};
}

void FuseSession::forget_attributes(InodeId id) {
  constexpr off_t kNoPages = -1;  // to take pages away, the kernel would wait for those that are being read
  (void)fuse_lowlevel_notify_inval_inode(session_, id, kNoPages, 0);  // ENOENT: it knows nothing of it
}

}  // namespace forebay::cachefs
