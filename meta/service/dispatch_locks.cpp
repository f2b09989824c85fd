// Locks between clients.
#include "meta/service/dispatch_tools.h"
#include "meta/service/meta_dispatch.h"

namespace forebay::meta {
namespace {

LockRequest lock_of(const wire::LockRequest& from, const transport::Serving& serving) {
  LockRequest request = wire::decode(from);
  request.owner.session = session_of(serving);
  return request;
}

}  // namespace

void MetaDispatch::Lock(Controller* controller, const wire::SetLockRequest* request, wire::SetLockReply* reply,
                        Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Result<bool> granted = service_.lock(lock_of(request->lock(), serving), request->wait());
  if (!granted) return serving.fail(granted.error());
  reply->set_granted(*granted);
}

void MetaDispatch::Unlock(Controller* controller, const wire::LockRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  serving.take(service_.unlock(lock_of(*request, serving)));
}

void MetaDispatch::TestLock(Controller* controller, const wire::LockRequest* request, wire::TestLockReply* reply,
                            Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Result<std::optional<HeldLock>> found = service_.test_lock(lock_of(*request, serving));
  if (!found) return serving.fail(found.error());
  if (*found) wire::encode(**found, *reply->mutable_lock());
}

void MetaDispatch::AwaitLocks(Controller* controller, const wire::AwaitLocksRequest* request,
                              wire::AwaitLocksReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  std::vector<LockRequest> waits;
  for (const wire::LockRequest& wait : request->waits()) waits.push_back(lock_of(wait, serving));
  reply_with(serving, service_.await_locks(waits, request->ended(), wire::decode_limit(request->limit_ms())), *reply);
}

void MetaDispatch::CancelLock(Controller* controller, const wire::LockRequest* request, wire::SetLockReply* reply,
                              Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Result<bool> granted = service_.cancel_lock(lock_of(*request, serving));
  if (!granted) return serving.fail(granted.error());
  reply->set_granted(*granted);
}

}  // namespace forebay::meta
