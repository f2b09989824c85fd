// StorageDispatch: the server side of RemoteStorage: decodes a request, has the target do it, encodes the reply. What
// only metadata servers may ask is refused to others with EPERM, and leases end when their holder's session does.
#pragma once

#include <functional>
#include <string_view>

#include "core/protocol/storage_service.h"
#include "core/protocol/wire/storage.pb.h"
#include "core/transport/serving.h"
#include "storage/service/lease_holders.h"

namespace forebay::storage {

// Thread safe. Each method is given a transport::Serving as its controller, and none is done later.
class StorageDispatch final : public wire::Storage {
 public:
  // `find` knows the targets of this server: null for any other. What it gives outlives this. Thread safe.
  explicit StorageDispatch(std::function<StorageService*(TargetId)> find) : find_(std::move(find)) {}

  // The client is gone: ends its leases.
  void session_ended(const transport::Party& client);

  using Controller = google::protobuf::RpcController;
  using Closure = google::protobuf::Closure;
  void CachingFile(Controller* controller, const wire::CachingFileRequest* request, wire::ChunkState* reply,
                   Closure*) override;
  void CloseFiles(Controller* controller, const wire::FilesRequest* request, wire::Done* reply, Closure*) override;
  void StatFile(Controller* controller, const wire::FileRequest* request, wire::ChunkState* reply, Closure*) override;
  void Read(Controller* controller, const wire::ReadRequest* request, wire::ReadReply* reply, Closure*) override;
  void Write(Controller* controller, const wire::WriteRequest* request, wire::Done* reply, Closure*) override;
  void ReserveEnd(Controller* controller, const wire::ReserveEndRequest* request, wire::ReserveEndReply* reply,
                  Closure*) override;
  void Truncate(Controller* controller, const wire::TruncateRequest* request, wire::Done* reply, Closure*) override;
  void Allocate(Controller* controller, const wire::AllocateRequest* request, wire::Done* reply, Closure*) override;
  void Seek(Controller* controller, const wire::SeekRequest* request, wire::SeekReply* reply, Closure*) override;
  void Sync(Controller* controller, const wire::FileRequest* request, wire::Done* reply, Closure*) override;
  void SetMtime(Controller* controller, const wire::SetMtimeRequest* request, wire::Done* reply, Closure*) override;
  void StartFetch(Controller* controller, const wire::StartFetchRequest* request, wire::Done* reply, Closure*) override;
  void FetchAll(Controller* controller, const wire::FetchAllRequest* request, wire::Done* reply, Closure*) override;
  void FlushBegin(Controller* controller, const wire::FlushBeginRequest* request, wire::FlushBeginReply* reply,
                  Closure*) override;
  void FlushMove(Controller* controller, const wire::FileRequest* request, wire::Done* reply, Closure*) override;
  void FlushResize(Controller* controller, const wire::FlushResizeRequest* request, wire::Done* reply,
                   Closure*) override;
  void FlushCommit(Controller* controller, const wire::FlushCommitRequest* request, wire::FlushCommitReply* reply,
                   Closure*) override;
  void FlushAbort(Controller* controller, const wire::FileRequest* request, wire::Done* reply, Closure*) override;
  void CopyOut(Controller* controller, const wire::CopyOutRequest* request, wire::Done* reply, Closure*) override;
  void ExpectVersionChange(Controller* controller, const wire::ExpectVersionChangeRequest* request, wire::Done* reply,
                           Closure*) override;
  void SettleExpectation(Controller* controller, const wire::SeenRequest* request, wire::Done* reply,
                         Closure*) override;
  void SetVersion(Controller* controller, const wire::SetVersionRequest* request, wire::Done* reply, Closure*) override;
  void OutsideChanged(Controller* controller, const wire::SeenRequest* request, wire::OutsideChangedReply* reply,
                      Closure*) override;
  void Drop(Controller* controller, const wire::DropRequest* request, wire::DropReply* reply, Closure*) override;
  void Discard(Controller* controller, const wire::FileRequest* request, wire::Done* reply, Closure*) override;
  void Revert(Controller* controller, const wire::SeenRequest* request, wire::Done* reply, Closure*) override;
  void Lease(Controller* controller, const wire::LeaseRequest* request, wire::Done* reply, Closure*) override;
  void EndLeases(Controller* controller, const wire::FilesRequest* request, wire::Done* reply, Closure*) override;
  void Settle(Controller* controller, const wire::FileRequest* request, wire::SettleReply* reply, Closure*) override;
  void SettleMany(Controller* controller, const wire::FilesRequest* request, wire::SettleManyReply* reply,
                  Closure*) override;
  void LookAtLeases(Controller* controller, const wire::TargetRequest* request, wire::Done* reply, Closure*) override;
  void Space(Controller* controller, const wire::TargetRequest* request, wire::SpaceReport* reply, Closure*) override;
  void SpaceOf(Controller* controller, const wire::TargetRequest* request, wire::SpaceReport* reply, Closure*) override;

 private:
  // The target; or null, and the peer was told: there is none of that number (ENXIO).
  StorageService* target(transport::Serving& serving, TargetId id);
  // The same for what only metadata servers may ask; null also for others (EPERM).
  StorageService* target_for_meta(transport::Serving& serving, TargetId id, std::string_view what);

  const std::function<StorageService*(TargetId)> find_;
  LeaseHolders leases_;
};

}  // namespace forebay::storage
