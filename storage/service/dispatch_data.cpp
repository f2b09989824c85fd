// What clients may ask: data, leases, space.
#include "core/log.h"
#include "storage/service/dispatch_tools.h"
#include "storage/service/storage_dispatch.h"

namespace forebay::storage {

StorageService* StorageDispatch::target(transport::Serving& serving, TargetId id) {
  StorageService* const found = find_(id);
  if (found == nullptr) serving.fail({ENXIO, fmt::format("target {} is not on this server", id)});
  return found;
}

void StorageDispatch::session_ended(const transport::Party& client) {
  const LeaseHolders::Leases held = leases_.end(client.session);
  if (held.empty()) return;
  log(Module::kStorage)
      .info("{} {} is gone: its leases of {} files end", role_name(client.role), client.node, held.size());
  for (const auto& [lease, count] : held) {
    StorageService* const service = find_(lease.first);
    for (uint64_t i = 0; service != nullptr && i < count; ++i) service->end_lease(lease.second);
  }
}

void StorageDispatch::StatFile(Controller* controller, const wire::FileRequest* request, wire::ChunkState* reply,
                               Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service != nullptr) reply_with(serving, service->stat_file(request->id()), *reply);
}

void StorageDispatch::Read(Controller* controller, const wire::ReadRequest* request, wire::ReadReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service == nullptr) return;
  const size_t wanted = std::min<size_t>(request->bytes(), serving.room());
  const auto send_from = [&](int file, uint64_t offset, size_t bytes) {
    reply->set_bytes(bytes);
    transport::Bulk bulk;
    bulk.file = file;
    bulk.file_offset = offset;
    bulk.file_bytes = bytes;
    serving.set_bulk(bulk);
    serving.reply(*reply);
  };
  if (service->read_in_place(request->id(), request->offset(), wanted, send_from)) return;
  const std::span<char> buffer = serving.space(wanted);
  const Result<size_t> bytes = service->read(request->id(), request->offset(), buffer);
  if (!bytes) return serving.fail(bytes.error());
  reply->set_bytes(*bytes);
  transport::Bulk bulk;
  bulk.memory = buffer.first(*bytes);
  serving.set_bulk(bulk);
}

void StorageDispatch::Write(Controller* controller, const wire::WriteRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service == nullptr) return;
  const uint64_t begin = request->offset() == kAtEnd ? 0 : request->offset();
  if (!within_a_file(serving, begin, serving.bulk_bytes())) return;
  const Result<std::span<const char>> data = serving.take_bulk();
  if (!data) return serving.fail(data.error());
  serving.take(service->write(request->id(), request->offset(), *data));
}

void StorageDispatch::ReserveEnd(Controller* controller, const wire::ReserveEndRequest* request,
                                 wire::ReserveEndReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service == nullptr || !within_a_file(serving, request->size(), request->bytes())) return;
  const Result<uint64_t> offset = service->reserve_end(request->id(), request->size(), request->bytes());
  if (!offset) return serving.fail(offset.error());
  reply->set_offset(*offset);
}

void StorageDispatch::Allocate(Controller* controller, const wire::AllocateRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service == nullptr || !within_a_file(serving, request->offset(), request->length())) return;
  serving.take(service->allocate(request->id(), request->mode(), request->offset(), request->length()));
}

void StorageDispatch::Seek(Controller* controller, const wire::SeekRequest* request, wire::SeekReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service == nullptr) return;
  const Result<SeekRequest> wanted = wire::decode(*request);
  if (!wanted) return serving.fail(wanted.error());
  const Result<uint64_t> found = service->seek(*wanted);
  if (!found) return serving.fail(found.error());
  reply->set_offset(*found);
}

void StorageDispatch::Sync(Controller* controller, const wire::FileRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service != nullptr) serving.take(service->sync(request->id()));
}

void StorageDispatch::StartFetch(Controller* controller, const wire::StartFetchRequest* request, wire::Done*,
                                 Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service != nullptr) service->start_fetch(request->id(), request->offset());
}

// Without a way to hand the descriptor over nothing is lent: it would never be given back.
void StorageDispatch::Lease(Controller* controller, const wire::LeaseRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service == nullptr) return;
  const Result<LeaseRequest> wanted = wire::decode(*request);
  if (!wanted) return serving.fail(wanted.error());
  if (wanted->new_file && !of_a_file(serving, wanted->new_file->version)) return;
  if (!serving.passes_descriptors()) {
    return serving.fail({wanted->new_file ? EBADFD : ENOTSUP, "descriptors go over Unix sockets alone"});
  }
  Result<UniqueFd> lent = service->lease(*wanted);
  if (!lent) return serving.fail(lent.error());
  leases_.began(serving.peer().session, request->target(), request->id());
  serving.pass(*std::move(lent));
}

void StorageDispatch::EndLeases(Controller* controller, const wire::FilesRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  StorageService* const service = target(serving, request->target());
  if (service == nullptr) return;
  std::vector<InodeId> ended;
  for (const InodeId id : request->ids()) {
    if (leases_.ended(serving.peer().session, request->target(), id)) ended.push_back(id);
  }
  service->end_leases(ended);
}

void StorageDispatch::Space(Controller* controller, const wire::TargetRequest* request, wire::SpaceReport* reply,
                            Closure*) {
  StorageService* const service = target(serving_of(controller), request->target());
  if (service != nullptr) wire::encode(service->space(), *reply);
}

void StorageDispatch::SpaceOf(Controller* controller, const wire::TargetRequest* request, wire::SpaceReport* reply,
                              Closure*) {
  StorageService* const service = target(serving_of(controller), request->target());
  if (service != nullptr) wire::encode(service->space_of(request->target()), *reply);
}

}  // namespace forebay::storage
