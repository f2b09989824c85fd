// Locks between clients.
#include "core/protocol/remote_call.h"
#include "core/protocol/remote_meta.h"
#include "core/protocol/wire/convert.h"

namespace forebay {

Result<bool> RemoteMeta::lock(const LockRequest& request, bool wait) {
  wire::SetLockRequest message;
  wire::encode(request, *message.mutable_lock());
  message.set_wait(wait);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Lock, message));
  return reply.granted();
}

Status RemoteMeta::unlock(const LockRequest& request) {
  wire::LockRequest message;
  wire::encode(request, message);
  return tell<wire::Meta>(stub_, &wire::Meta::Unlock, message);
}

Result<std::optional<HeldLock>> RemoteMeta::test_lock(const LockRequest& request) {
  wire::LockRequest message;
  wire::encode(request, message);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::TestLock, message));
  if (!reply.has_lock()) return std::optional<HeldLock>();
  return wire::decode(reply.lock());
}

Result<LockNews> RemoteMeta::await_locks(std::span<const LockRequest> waits, uint64_t ended,
                                         std::chrono::milliseconds limit) {
  wire::AwaitLocksRequest message;
  for (const LockRequest& wait : waits) wire::encode(wait, *message.add_waits());
  message.set_ended(ended);
  message.set_limit_ms(wire::encode_limit(limit));
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::AwaitLocks, message));
  return wire::decode(reply, waits.size());
}

Result<bool> RemoteMeta::cancel_lock(const LockRequest& request) {
  wire::LockRequest message;
  wire::encode(request, message);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::CancelLock, message));
  return reply.granted();
}

}  // namespace forebay
