// ioctl: what the commands ask for (cachefs/control.h).
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "cachefs/control.h"
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

Result<WorkProgress> serve(Session& session, InodeId inode, uid_t uid, const ControlRequest& control) {
  const std::chrono::milliseconds limit(std::min(control.wait_ms, kMaxControlWaitMs));
  const bool first = (control.flags & kControlFirst) != 0;
  // A command finds no file in use that was closed before it came.
  if (session.in_cluster()) session.tell_queue.tell_now();
  switch (static_cast<ControlAction>(control.action)) {
    case ControlAction::kFlush:
      return session.meta.flush(inode, first, limit);
    case ControlAction::kPrefetch:
      return session.meta.prefetch(inode, limit);
    case ControlAction::kEvict:
      return session.meta.evict(inode, first, limit);
    case ControlAction::kPin:
    case ControlAction::kUnpin: {
      const bool pinned = static_cast<ControlAction>(control.action) == ControlAction::kPin;
      RETURN_IF_ERROR(session.meta.pin(inode, pinned));
      return WorkProgress{};
    }
    case ControlAction::kStop:
      if (uid != 0 && uid != ::geteuid()) return fail(EPERM, "only root and the owner of the mount may stop it");
      session.discard = (control.flags & kControlDiscard) != 0;
      return WorkProgress{};
  }
  return fail(EINVAL, "unknown request {}", control.action);
}

}  // namespace

void ioctl(fuse_req_t request, fuse_ino_t inode, unsigned int command, void*, fuse_file_info*, unsigned int,
           const void* in, size_t in_size, size_t out_size) {
  ControlRequest control;
  if (command != static_cast<unsigned int>(kControlIoctl) || in_size < sizeof(control) || out_size < sizeof(control)) {
    return reply_error(request, {ENOTTY, {}});
  }
  std::memcpy(&control, in, sizeof(control));
  const Result<WorkProgress> done = serve(session_of(request), inode, fuse_req_ctx(request)->uid, control);
  const Error error = done ? done->last_error : done.error();
  control.error = static_cast<uint32_t>(error.code);
  control.remaining_bytes = done ? done->remaining_bytes : 0;
  control.remaining_files = done ? done->remaining_files : 0;
  control.failed_files = done ? done->failed_files : 1;
  control.conflicts = done ? done->conflicts : 0;
  const std::string message = error.code == 0 ? "" : (error.context.empty() ? error.message() : error.context);
  std::memset(control.message, 0, sizeof(control.message));
  std::memcpy(control.message, message.data(), std::min(message.size(), sizeof(control.message) - 1));
  fuse_reply_ioctl(request, 0, &control, sizeof(control));
}

}  // namespace forebay::cachefs::ops
