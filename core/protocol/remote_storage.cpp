#include "core/protocol/remote_storage.h"

#include <algorithm>
#include <cassert>

#include "core/protocol/remote_call.h"
#include "core/protocol/wire/convert.h"

namespace forebay {
namespace {

const google::protobuf::MethodDescriptor* storage_method(const char* name) {
  const auto* method = wire::Storage::descriptor()->FindMethodByName(name);
  assert(method != nullptr);
  return method;
}

}  // namespace

template <typename Request>
Request RemoteStorage::request_of(InodeId id) const {
  Request request;
  request.set_target(target_);
  request.set_id(id);
  return request;
}

wire::FilesRequest RemoteStorage::files(std::span<const InodeId> ids) const {
  wire::FilesRequest request;
  request.set_target(target_);
  request.mutable_ids()->Add(ids.begin(), ids.end());
  return request;
}

wire::FileRequest RemoteStorage::file(InodeId id) const { return request_of<wire::FileRequest>(id); }

wire::SeenRequest RemoteStorage::seen(InodeId id, const Validator& now) const {
  auto request = request_of<wire::SeenRequest>(id);
  wire::encode(now, *request.mutable_now());
  return request;
}

StorageService::PendingRead RemoteStorage::begin_read(InodeId id, uint64_t offset, std::span<char> buffer) {
  static const auto* const method = storage_method("Read");
  if (buffer.size() > kMostPending) return StorageService::begin_read(id, offset, buffer);
  auto request = request_of<wire::ReadRequest>(id);
  request.set_offset(offset);
  request.set_bytes(buffer.size());
  // What is missing is fetched from an outside that may be slow.
  const auto call = std::make_shared<transport::Call>(transport::kLongLimit);
  call->room = buffer;
  channel_.begin(method, *call, request);
  return [this, call]() -> Result<size_t> {
    wire::ReadReply reply;
    channel_.end(*call, reply);
    RETURN_IF_ERROR(call->status);
    return call->received;
  };
}

StorageService::PendingWrite RemoteStorage::begin_write(InodeId id, uint64_t offset, std::span<const char> data) {
  static const auto* const method = storage_method("Write");
  if (data.size() > kMostPending) return StorageService::begin_write(id, offset, data);
  auto request = request_of<wire::WriteRequest>(id);
  request.set_offset(offset);
  const auto call = std::make_shared<transport::Call>(transport::kLongLimit);
  call->bulk.memory = data;
  channel_.begin(method, *call, request);
  return [this, call]() -> Status {
    wire::Done reply;
    channel_.end(*call, reply);
    return std::move(call->status);
  };
}

Result<size_t> RemoteStorage::read(InodeId id, uint64_t offset, std::span<char> buffer) {
  size_t done = 0;
  while (done < buffer.size()) {
    const std::span<char> piece = buffer.subspan(done, std::min(buffer.size() - done, kMostPending));
    ASSIGN_OR_RETURN(const size_t bytes, begin_read(id, offset + done, piece)());
    done += bytes;
    if (bytes < piece.size()) break;
  }
  return done;
}

Status RemoteStorage::write(InodeId id, uint64_t offset, std::span<const char> data) {
  do {
    const std::span<const char> piece = data.first(std::min(data.size(), kMostPending));
    RETURN_IF_ERROR(begin_write(id, offset, piece)());
    if (offset != kAtEnd) offset += piece.size();
    data = data.subspan(piece.size());
  } while (!data.empty());
  return {};
}

Result<ChunkState> RemoteStorage::caching_file(const CachingFileRequest& request) {
  auto message = request_of<wire::CachingFileRequest>(request.id);
  wire::encode(request, message);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Storage>(stub_, &wire::Storage::CachingFile, message));
  return wire::decode(reply);
}

void RemoteStorage::close_file(InodeId id) { close_files({&id, 1}); }

void RemoteStorage::close_files(std::span<const InodeId> ids) {
  log_untold(tell<wire::Storage>(stub_, &wire::Storage::CloseFiles, files(ids)), "close_file");
}

Result<ChunkState> RemoteStorage::stat_file(InodeId id) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Storage>(stub_, &wire::Storage::StatFile, file(id)));
  return wire::decode(reply);
}

Result<uint64_t> RemoteStorage::reserve_end(InodeId id, uint64_t size, uint64_t bytes) {
  auto request = request_of<wire::ReserveEndRequest>(id);
  request.set_size(size);
  request.set_bytes(bytes);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Storage>(stub_, &wire::Storage::ReserveEnd, request));
  return reply.offset();
}

Status RemoteStorage::truncate(InodeId id, uint64_t size) {
  auto request = request_of<wire::TruncateRequest>(id);
  request.set_size(size);
  return tell<wire::Storage>(stub_, &wire::Storage::Truncate, request, transport::kLongLimit);
}

Status RemoteStorage::allocate(InodeId id, int mode, uint64_t offset, uint64_t length) {
  auto request = request_of<wire::AllocateRequest>(id);
  request.set_mode(mode);
  request.set_offset(offset);
  request.set_length(length);
  return tell<wire::Storage>(stub_, &wire::Storage::Allocate, request, transport::kLongLimit);
}

Result<uint64_t> RemoteStorage::seek(const SeekRequest& request) {
  auto message = request_of<wire::SeekRequest>(request.id);
  wire::encode(request, message);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Storage>(stub_, &wire::Storage::Seek, message));
  return reply.offset();
}

Status RemoteStorage::sync(InodeId id) {
  return tell<wire::Storage>(stub_, &wire::Storage::Sync, file(id), transport::kLongLimit);
}

Status RemoteStorage::set_mtime(InodeId id, FileTime mtime) {
  auto request = request_of<wire::SetMtimeRequest>(id);
  wire::encode(mtime, *request.mutable_mtime());
  return tell<wire::Storage>(stub_, &wire::Storage::SetMtime, request);
}

void RemoteStorage::start_fetch(InodeId id, uint64_t offset) {
  auto request = request_of<wire::StartFetchRequest>(id);
  request.set_offset(offset);
  log_untold(tell<wire::Storage>(stub_, &wire::Storage::StartFetch, request), "start_fetch");
}

Status RemoteStorage::fetch_all(InodeId id, std::chrono::milliseconds limit) {
  auto request = request_of<wire::FetchAllRequest>(id);
  request.set_limit_ms(wire::encode_limit(limit));
  return tell<wire::Storage>(stub_, &wire::Storage::FetchAll, request, transport::kLongLimit);
}

Result<FlushBeginReply> RemoteStorage::flush_begin(const FlushBeginRequest& request) {
  auto message = request_of<wire::FlushBeginRequest>(request.id);
  wire::encode(request, message);
  ASSIGN_OR_RETURN(const auto reply,
                   ask<wire::Storage>(stub_, &wire::Storage::FlushBegin, message, transport::kLongLimit));
  return wire::decode(reply);
}

Status RemoteStorage::flush_resize(InodeId id, uint64_t base, uint64_t size) {
  auto request = request_of<wire::FlushResizeRequest>(id);
  request.set_base(base);
  request.set_size(size);
  return tell<wire::Storage>(stub_, &wire::Storage::FlushResize, request, transport::kLongLimit);
}

Status RemoteStorage::flush_move(InodeId id) {
  return tell<wire::Storage>(stub_, &wire::Storage::FlushMove, file(id), transport::kLongLimit);
}

Result<FlushCommitReply> RemoteStorage::flush_commit(const FlushCommitRequest& request) {
  auto message = request_of<wire::FlushCommitRequest>(request.id);
  wire::encode(request, message);
  ASSIGN_OR_RETURN(const auto reply,
                   ask<wire::Storage>(stub_, &wire::Storage::FlushCommit, message, transport::kLongLimit));
  return wire::decode(reply);
}

void RemoteStorage::flush_abort(InodeId id) {
  log_untold(tell<wire::Storage>(stub_, &wire::Storage::FlushAbort, file(id), transport::kLongLimit), "flush_abort");
}

Status RemoteStorage::copy_out(InodeId id, const ExternalRef& to, uint64_t size) {
  auto request = request_of<wire::CopyOutRequest>(id);
  request.set_size(size);
  wire::encode(to, *request.mutable_to());
  return tell<wire::Storage>(stub_, &wire::Storage::CopyOut, request, transport::kLongLimit);
}

Status RemoteStorage::expect_version_change(InodeId id, bool sets_mtime) {
  auto request = request_of<wire::ExpectVersionChangeRequest>(id);
  request.set_sets_mtime(sets_mtime);
  return tell<wire::Storage>(stub_, &wire::Storage::ExpectVersionChange, request);
}

Status RemoteStorage::settle_expectation(InodeId id, const Validator& now) {
  return tell<wire::Storage>(stub_, &wire::Storage::SettleExpectation, seen(id, now));
}

Status RemoteStorage::set_version(InodeId id, const Validator& from, const Validator& to) {
  auto request = request_of<wire::SetVersionRequest>(id);
  wire::encode(from, *request.mutable_from());
  wire::encode(to, *request.mutable_to());
  return tell<wire::Storage>(stub_, &wire::Storage::SetVersion, request);
}

Result<bool> RemoteStorage::outside_changed(InodeId id, const Validator& now) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Storage>(stub_, &wire::Storage::OutsideChanged, seen(id, now)));
  return reply.dropped();
}

Result<uint64_t> RemoteStorage::drop(InodeId id, uint64_t bytes) {
  auto request = request_of<wire::DropRequest>(id);
  request.set_bytes(bytes);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Storage>(stub_, &wire::Storage::Drop, request));
  return reply.freed_bytes();
}

Status RemoteStorage::discard(InodeId id) { return tell<wire::Storage>(stub_, &wire::Storage::Discard, file(id)); }

Status RemoteStorage::revert(InodeId id, const Validator& version) {
  return tell<wire::Storage>(stub_, &wire::Storage::Revert, seen(id, version));
}

Result<UniqueFd> RemoteStorage::lease(const LeaseRequest& request) {
  if (!channel_.is_local()) {
    return fail(request.new_file ? EBADFD : ENOTSUP, "{}: descriptors go over Unix sockets alone", channel_.name());
  }
  auto message = request_of<wire::LeaseRequest>(request.id);
  wire::encode(request, message);
  transport::Call call;
  wire::Done reply;
  stub_.Lease(&call, &message, &reply, nullptr);
  RETURN_IF_ERROR(call.status);
  if (!call.descriptor) return fail(EPROTO, "{}: a lease without a descriptor", channel_.name());
  return std::move(call.descriptor);
}

void RemoteStorage::end_lease(InodeId id) { end_leases({&id, 1}); }

void RemoteStorage::end_leases(std::span<const InodeId> ids) {
  log_untold(tell<wire::Storage>(stub_, &wire::Storage::EndLeases, files(ids)), "end_lease");
}

Result<SettleReply> RemoteStorage::settle(InodeId id) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Storage>(stub_, &wire::Storage::Settle, file(id)));
  return wire::decode(reply);
}

std::vector<Result<SettleReply>> RemoteStorage::settle_many(std::span<const InodeId> ids) {
  const auto reply = ask<wire::Storage>(stub_, &wire::Storage::SettleMany, files(ids));
  std::vector<Result<SettleReply>> settled;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!reply) {
      settled.push_back(Failure(reply.error()));
    } else if (i < static_cast<size_t>(reply->replies_size())) {
      settled.push_back(wire::decode(reply->replies(static_cast<int>(i))));
    } else {
      settled.push_back(fail(EPROTO, "{}: an answer is missing", channel_.name()));
    }
  }
  return settled;
}

void RemoteStorage::look_at_leases() {
  wire::TargetRequest request;
  request.set_target(target_);
  log_untold(tell<wire::Storage>(stub_, &wire::Storage::LookAtLeases, request, transport::kShortLimit),
             "look_at_leases");
}

SpaceReport RemoteStorage::space() {
  wire::TargetRequest request;
  request.set_target(target_);
  const auto reply = ask<wire::Storage>(stub_, &wire::Storage::Space, request, transport::kShortLimit);
  return reply ? wire::decode(*reply) : SpaceReport{};
}

SpaceReport RemoteStorage::space_of(TargetId target) {
  wire::TargetRequest request;
  request.set_target(target);
  const auto reply = ask<wire::Storage>(stub_, &wire::Storage::SpaceOf, request, transport::kShortLimit);
  return reply ? wire::decode(*reply) : SpaceReport{};
}

}  // namespace forebay
