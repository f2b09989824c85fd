// The cache itself, and what storage servers ask for.
#include "meta/service/dispatch_tools.h"
#include "meta/service/meta_dispatch.h"

namespace forebay::meta {

void MetaDispatch::GetCacheState(Controller* controller, const wire::InodeRequest* request,
                                 wire::CacheStateReply* reply, Closure*) {
  reply_with(serving_of(controller), service_.cache_state(request->id()), *reply);
}

void MetaDispatch::Flush(Controller* controller, const wire::WorkRequest* request, wire::WorkProgress* reply,
                         Closure*) {
  const auto limit = wire::decode_limit(request->limit_ms());
  reply_with(serving_of(controller), service_.flush(request->id(), request->first(), limit), *reply);
}

void MetaDispatch::Prefetch(Controller* controller, const wire::WorkRequest* request, wire::WorkProgress* reply,
                            Closure*) {
  const auto limit = wire::decode_limit(request->limit_ms());
  reply_with(serving_of(controller), service_.prefetch(request->id(), limit), *reply);
}

void MetaDispatch::Evict(Controller* controller, const wire::WorkRequest* request, wire::WorkProgress* reply,
                         Closure*) {
  const auto limit = wire::decode_limit(request->limit_ms());
  reply_with(serving_of(controller), service_.evict(request->id(), request->first(), limit), *reply);
}

void MetaDispatch::Pin(Controller* controller, const wire::PinRequest* request, wire::Done*, Closure*) {
  serving_of(controller).take(service_.pin(request->id(), request->pinned()));
}

void MetaDispatch::GetCacheStatus(Controller*, const wire::CacheStatusRequest*, wire::CacheStatusReply* reply,
                                  Closure*) {
  wire::encode(service_.status(), *reply);
}

void MetaDispatch::MarkDirty(Controller* controller, const wire::MarkDirtyRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!only_storage(serving, "mark_dirty")) return;
  serving.take(service_.mark_dirty(request->id(), request->leased()));
}

void MetaDispatch::DataChanged(Controller* controller, const wire::InodeRequest* request, wire::Done*, Closure*) {
  if (only_storage(serving_of(controller), "data_changed")) service_.data_changed(request->id());
}

void MetaDispatch::LeaseSettled(Controller* controller, const wire::InodeRequest* request, wire::Done*, Closure*) {
  if (only_storage(serving_of(controller), "lease_settled")) service_.lease_settled(request->id());
}

void MetaDispatch::AfterWrite(Controller* controller, const wire::InodeRequest* request, wire::Done*, Closure*) {
  serving_of(controller).take(service_.after_write(request->id()));
}

void MetaDispatch::Revalidate(Controller* controller, const wire::InodeRequest* request, wire::RevalidateReply* reply,
                              Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!only_storage(serving, "revalidate")) return;
  reply_with(serving, service_.revalidate(request->id()), *reply->mutable_version());
}

void MetaDispatch::CopyReplaced(Controller* controller, const wire::InodeRequest* request, wire::Done*, Closure*) {
  if (only_storage(serving_of(controller), "copy_replaced")) service_.copy_replaced(request->id());
}

void MetaDispatch::Locate(Controller* controller, const wire::InodeRequest* request, wire::LocateReply* reply,
                          Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!only_storage(serving, "locate")) return;
  reply_with(serving, service_.locate(request->id()), *reply->mutable_source());
}

void MetaDispatch::ReportComplete(Controller* controller, const wire::InodeRequest* request, wire::Done*, Closure*) {
  if (only_storage(serving_of(controller), "report_complete")) service_.report_complete(request->id());
}

void MetaDispatch::MakeRoom(Controller* controller, const wire::MakeRoomRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!only_storage(serving, "make_room")) return;
  serving.take(service_.make_room(request->target(), request->bytes()));
}

}  // namespace forebay::meta
