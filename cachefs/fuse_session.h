// FuseSession: the kernel's side of a mount.
#pragma once

#include <functional>
#include <memory>

#include "cachefs/session.h"
#include "core/result.h"
#include "core/work_queue.h"

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

  // The kernel asks for the inode's attributes from now on, and drops its pages of it; then the metadata server hears
  // of it. Does not wait for that. Thread safe.
  void revoke_pages(InodeId id, uint64_t generation);

  fuse_session* handle() { return fuse_; }

 private:
  struct Revocation {
    InodeId id;
    uint64_t generation;
    std::chrono::steady_clock::time_point began;
    uint64_t turns = 0;
  };

  FuseSession(fuse_session* fuse, Session& session);
  Status serve_requests(uint32_t threads);
  void revoke(Revocation revocation);
  void end_revocations();

  fuse_session* const fuse_;
  Session& session_;
  WorkQueue<Revocation> revocations_;
};

}  // namespace forebay::cachefs
