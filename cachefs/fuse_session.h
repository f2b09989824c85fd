// FuseSession: the kernel's side of a mount.
#pragma once

#include <memory>

#include "cachefs/session.h"
#include "core/result.h"

namespace forebay::cachefs {

class FuseSession {
 public:
  // Mounts. Errors: one line with what libfuse or the kernel said.
  static Result<std::unique_ptr<FuseSession>> mount(Session& session);
  // Unmounts if it is mounted still.
  ~FuseSession();

  // Serves requests with up to `threads` threads until the tree is unmounted or a signal (TERM, INT, HUP) comes.
  // `ready` is called before the first request.
  Status serve(uint32_t threads, const std::function<void()>& ready);

  // The kernel asks for the attributes when it needs them next; if the mtime is another then, it drops its pages. Does
  // not wait for anything. Thread safe.
  void forget_attributes(InodeId id);

 private:
  FuseSession(fuse_session* session, RingTransport& ring) : session_(session), ring_(ring) {}

  fuse_session* session_;
  RingTransport& ring_;
};

}  // namespace forebay::cachefs
