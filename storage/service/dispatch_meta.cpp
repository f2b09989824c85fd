// What only metadata servers may ask.
#include "storage/service/dispatch_tools.h"
#include "storage/service/storage_dispatch.h"

namespace forebay::storage {

StorageService* StorageDispatch::target_for_meta(transport::Serving& serving, TargetId id, std::string_view what) {
  const transport::Party& peer = serving.peer();
  if (peer.role == transport::Role::kMeta) return target(serving, id);
  serving.fail({EPERM, fmt::format("{} is for metadata servers; {} {} asked", what, role_name(peer.role), peer.node)});
  return nullptr;
}

void StorageDispatch::CachingFile(Controller* controller, const wire::CachingFileRequest* request,
                                  wire::ChunkState* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "caching_file");
  if (service == nullptr) return;
  const Result<CachingFileRequest> file = wire::decode(*request);
  if (!file) return serving.fail(file.error());
  if (!of_a_file(serving, file->version)) return;
  reply_with(serving, service->caching_file(*file), *reply);
}

void StorageDispatch::CloseFiles(Controller* controller, const wire::FilesRequest* request, wire::Done*, Closure*) {
  StorageService* const service = target_for_meta(serving_of(controller), request->target(), "close_file");
  if (service == nullptr) return;
  service->close_files(std::vector<InodeId>(request->ids().begin(), request->ids().end()));
}

void StorageDispatch::Truncate(Controller* controller, const wire::TruncateRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "truncate");
  if (service == nullptr || !within_a_file(serving, 0, request->size())) return;
  serving.take(service->truncate(request->id(), request->size()));
}

void StorageDispatch::SetMtime(Controller* controller, const wire::SetMtimeRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "set_mtime");
  if (service != nullptr) serving.take(service->set_mtime(request->id(), wire::decode(request->mtime())));
}

void StorageDispatch::FetchAll(Controller* controller, const wire::FetchAllRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "fetch_all");
  if (service != nullptr) serving.take(service->fetch_all(request->id(), wire::decode_limit(request->limit_ms())));
}

void StorageDispatch::FlushBegin(Controller* controller, const wire::FlushBeginRequest* request,
                                 wire::FlushBeginReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "flush_begin");
  if (service == nullptr) return;
  const Result<FlushBeginRequest> decoded = wire::decode(*request);
  if (!decoded) return serving.fail(decoded.error());
  reply_with(serving, service->flush_begin(*decoded), *reply);
}

void StorageDispatch::FlushResize(Controller* controller, const wire::FlushResizeRequest* request, wire::Done*,
                                  Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "flush_resize");
  if (service != nullptr) serving.take(service->flush_resize(request->id(), request->base(), request->size()));
}

void StorageDispatch::FlushMove(Controller* controller, const wire::FileRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "flush_move");
  if (service != nullptr) serving.take(service->flush_move(request->id()));
}

void StorageDispatch::FlushCommit(Controller* controller, const wire::FlushCommitRequest* request,
                                  wire::FlushCommitReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "flush_commit");
  if (service != nullptr) reply_with(serving, service->flush_commit(wire::decode(*request)), *reply);
}

void StorageDispatch::FlushAbort(Controller* controller, const wire::FileRequest* request, wire::Done*, Closure*) {
  StorageService* const service = target_for_meta(serving_of(controller), request->target(), "flush_abort");
  if (service != nullptr) service->flush_abort(request->id());
}

void StorageDispatch::CopyOut(Controller* controller, const wire::CopyOutRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "copy_out");
  if (service != nullptr) serving.take(service->copy_out(request->id(), wire::decode(request->to()), request->size()));
}

void StorageDispatch::ExpectVersionChange(Controller* controller, const wire::ExpectVersionChangeRequest* request,
                                          wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "expect_version_change");
  if (service != nullptr) serving.take(service->expect_version_change(request->id(), request->sets_mtime()));
}

void StorageDispatch::SettleExpectation(Controller* controller, const wire::SeenRequest* request, wire::Done*,
                                        Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "settle_expectation");
  const Validator now = wire::decode(request->now());
  if (service == nullptr || !of_a_file(serving, now)) return;
  serving.take(service->settle_expectation(request->id(), now));
}

void StorageDispatch::SetVersion(Controller* controller, const wire::SetVersionRequest* request, wire::Done*,
                                 Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "set_version");
  const Validator to = wire::decode(request->to());
  if (service == nullptr || !of_a_file(serving, to)) return;
  serving.take(service->set_version(request->id(), wire::decode(request->from()), to));
}

void StorageDispatch::OutsideChanged(Controller* controller, const wire::SeenRequest* request,
                                     wire::OutsideChangedReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "outside_changed");
  const Validator now = wire::decode(request->now());
  if (service == nullptr || !of_a_file(serving, now)) return;
  const Result<bool> dropped = service->outside_changed(request->id(), now);
  if (!dropped) return serving.fail(dropped.error());
  reply->set_dropped(*dropped);
}

void StorageDispatch::Drop(Controller* controller, const wire::DropRequest* request, wire::DropReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "drop");
  if (service == nullptr) return;
  const Result<uint64_t> freed = service->drop(request->id(), request->bytes());
  if (!freed) return serving.fail(freed.error());
  reply->set_freed_bytes(*freed);
}

void StorageDispatch::Discard(Controller* controller, const wire::FileRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "discard");
  if (service != nullptr) serving.take(service->discard(request->id()));
}

void StorageDispatch::Revert(Controller* controller, const wire::SeenRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "revert");
  const Validator now = wire::decode(request->now());
  if (service != nullptr && of_a_file(serving, now)) serving.take(service->revert(request->id(), now));
}

void StorageDispatch::Settle(Controller* controller, const wire::FileRequest* request, wire::SettleReply* reply,
                             Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target_for_meta(serving, request->target(), "settle");
  if (service != nullptr) reply_with(serving, service->settle(request->id()), *reply);
}

void StorageDispatch::SettleMany(Controller* controller, const wire::FilesRequest* request,
                                 wire::SettleManyReply* reply, Closure*) {
  StorageService* const service = target_for_meta(serving_of(controller), request->target(), "settle");
  if (service == nullptr) return;
  for (const InodeId id : request->ids()) {
    wire::SettleReply& answer = *reply->add_replies();
    if (const Result<SettleReply> settled = service->settle(id); settled) wire::encode(*settled, answer);
  }
}

void StorageDispatch::LookAtLeases(Controller* controller, const wire::TargetRequest* request, wire::Done*, Closure*) {
  StorageService* const service = target_for_meta(serving_of(controller), request->target(), "look_at_leases");
  if (service != nullptr) service->look_at_leases();
}

}  // namespace forebay::storage
