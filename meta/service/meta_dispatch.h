// MetaDispatch: the server side of RemoteMeta: decodes a request, has the service do it, encodes the reply. It knows
// who asks: what only storage servers may ask is refused to others with EPERM, and what a client holds is given back
// when its session ends.
#pragma once

#include <array>
#include <mutex>
#include <optional>

#include "core/protocol/meta_service.h"
#include "core/protocol/wire/meta.pb.h"
#include "core/transport/serving.h"
#include "meta/service/client_sessions.h"

namespace forebay::meta {

// Thread safe. Each method is given a transport::Serving as its controller; AwaitNews alone is answered later.
class MetaDispatch final : public wire::Meta {
 public:
  // `service` outlives this.
  explicit MetaDispatch(MetaService& service) : service_(service) {}

  // The client is gone: releases what it had open, its locks, and forgets what it had looked up.
  void session_ended(const transport::Party& client);
  // How many clients hold anything.
  size_t sessions() { return sessions_.count(); }

  using Controller = google::protobuf::RpcController;
  using Closure = google::protobuf::Closure;
  // All of them, for a client's session: what it changes itself it need not be told.
  void CallMethod(const google::protobuf::MethodDescriptor* method, Controller* controller,
                  const google::protobuf::Message* request, google::protobuf::Message* reply, Closure* done) override;
  void Lookup(Controller* controller, const wire::NameRequest* request, wire::EntryReply* reply, Closure*) override;
  void AllNames(Controller* controller, const wire::InodeRequest* request, wire::NamesReply* reply, Closure*) override;
  void Enter(Controller* controller, const wire::EnterRequest* request, wire::EntryReply* reply, Closure*) override;
  void ForgetMany(Controller* controller, const wire::ForgetManyRequest* request, wire::Done* reply, Closure*) override;
  void Mknod(Controller* controller, const wire::MknodRequest* request, wire::EntryReply* reply, Closure*) override;
  void Mkdir(Controller* controller, const wire::MkdirRequest* request, wire::EntryReply* reply, Closure*) override;
  void Symlink(Controller* controller, const wire::SymlinkRequest* request, wire::EntryReply* reply, Closure*) override;
  void Link(Controller* controller, const wire::LinkRequest* request, wire::EntryReply* reply, Closure*) override;
  void Unlink(Controller* controller, const wire::NameRequest* request, wire::RemovedReply* reply, Closure*) override;
  void Rmdir(Controller* controller, const wire::NameRequest* request, wire::RemovedReply* reply, Closure*) override;
  void Rename(Controller* controller, const wire::RenameRequest* request, wire::Done* reply, Closure*) override;
  void Readlink(Controller* controller, const wire::InodeOfCallerRequest* request, wire::BytesReply* reply,
                Closure*) override;
  void Getattr(Controller* controller, const wire::InodeRequest* request, wire::AttributesReply* reply,
               Closure*) override;
  void Setattr(Controller* controller, const wire::SetattrRequest* request, wire::AttributesReply* reply,
               Closure*) override;
  void Getxattr(Controller* controller, const wire::XattrRequest* request, wire::BytesReply* reply, Closure*) override;
  void Listxattr(Controller* controller, const wire::InodeOfCallerRequest* request, wire::BytesReply* reply,
                 Closure*) override;
  void Setxattr(Controller* controller, const wire::SetxattrRequest* request, wire::Done* reply, Closure*) override;
  void Removexattr(Controller* controller, const wire::XattrRequest* request, wire::Done* reply, Closure*) override;
  void Statfs(Controller* controller, const wire::InodeRequest* request, wire::StatfsReply* reply, Closure*) override;
  void Open(Controller* controller, const wire::OpenRequest* request, wire::OpenReply* reply, Closure*) override;
  void Create(Controller* controller, const wire::CreateRequest* request, wire::CreateReply* reply, Closure*) override;
  void Tmpfile(Controller* controller, const wire::TmpfileRequest* request, wire::CreateReply* reply,
               Closure*) override;
  void ReleaseMany(Controller* controller, const wire::ReleaseManyRequest* request, wire::Done* reply,
                   Closure*) override;
  void StripPrivileges(Controller* controller, const wire::StripPrivilegesRequest* request, wire::Done* reply,
                       Closure*) override;
  void Close(Controller* controller, const wire::InodeRequest* request, wire::Done* reply, Closure*) override;
  void Fsync(Controller* controller, const wire::InodeRequest* request, wire::Done* reply, Closure*) override;
  void FlushFailures(Controller* controller, const wire::InodeRequest* request, wire::FlushFailuresReply* reply,
                     Closure*) override;
  void LastFlushError(Controller* controller, const wire::InodeRequest* request, wire::LastFlushErrorReply* reply,
                      Closure*) override;
  void Opendir(Controller* controller, const wire::InodeOfCallerRequest* request, wire::OpendirReply* reply,
               Closure*) override;
  void Readdir(Controller* controller, const wire::ReaddirRequest* request, wire::ReaddirReply* reply,
               Closure*) override;
  void Fsyncdir(Controller* controller, const wire::DirectoryRequest* request, wire::Done* reply, Closure*) override;
  void Releasedir(Controller* controller, const wire::DirectoryRequest* request, wire::Done* reply, Closure*) override;
  void GetCacheState(Controller* controller, const wire::InodeRequest* request, wire::CacheStateReply* reply,
                     Closure*) override;
  void Flush(Controller* controller, const wire::WorkRequest* request, wire::WorkProgress* reply, Closure*) override;
  void Prefetch(Controller* controller, const wire::WorkRequest* request, wire::WorkProgress* reply, Closure*) override;
  void Evict(Controller* controller, const wire::WorkRequest* request, wire::WorkProgress* reply, Closure*) override;
  void Pin(Controller* controller, const wire::PinRequest* request, wire::Done* reply, Closure*) override;
  void GetCacheStatus(Controller* controller, const wire::CacheStatusRequest* request, wire::CacheStatusReply* reply,
                      Closure*) override;
  void MarkDirty(Controller* controller, const wire::MarkDirtyRequest* request, wire::Done* reply, Closure*) override;
  void DataChanged(Controller* controller, const wire::InodeRequest* request, wire::Done* reply, Closure*) override;
  void LeaseSettled(Controller* controller, const wire::InodeRequest* request, wire::Done* reply, Closure*) override;
  void AfterWrite(Controller* controller, const wire::InodeRequest* request, wire::Done* reply, Closure*) override;
  void Revalidate(Controller* controller, const wire::InodeRequest* request, wire::RevalidateReply* reply,
                  Closure*) override;
  void CopyReplaced(Controller* controller, const wire::InodeRequest* request, wire::Done* reply, Closure*) override;
  void Locate(Controller* controller, const wire::InodeRequest* request, wire::LocateReply* reply, Closure*) override;
  void ReportComplete(Controller* controller, const wire::InodeRequest* request, wire::Done* reply, Closure*) override;
  void GetLayoutRule(Controller* controller, const wire::InodeRequest* request, wire::LayoutRule* reply,
                     Closure*) override;
  void SetLayoutRule(Controller* controller, const wire::SetLayoutRuleRequest* request, wire::Done* reply,
                     Closure*) override;
  void Reopen(Controller* controller, const wire::ReopenRequest* request, wire::ReopenReply* reply, Closure*) override;
  void MakeRoom(Controller* controller, const wire::MakeRoomRequest* request, wire::Done* reply, Closure*) override;
  void Lock(Controller* controller, const wire::SetLockRequest* request, wire::SetLockReply* reply, Closure*) override;
  void Unlock(Controller* controller, const wire::LockRequest* request, wire::Done* reply, Closure*) override;
  void TestLock(Controller* controller, const wire::LockRequest* request, wire::TestLockReply* reply,
                Closure*) override;
  void AwaitLocks(Controller* controller, const wire::AwaitLocksRequest* request, wire::AwaitLocksReply* reply,
                  Closure*) override;
  void AwaitNews(Controller* controller, const wire::AwaitNewsRequest* request, wire::AnswerNews* reply,
                 Closure*) override;
  void CancelLock(Controller* controller, const wire::LockRequest* request, wire::SetLockReply* reply,
                  Closure*) override;

 private:
  // Encodes an entry, and counts it for the client. Names that are not there count for nothing.
  void add_directory(InodeId id, wire::AttributesReply& reply);
  void reply_made(transport::Serving& serving, const Result<EntryReply>& entry, InodeId parent,
                  wire::EntryReply& reply);
  void reply_entry(transport::Serving& serving, const Result<EntryReply>& entry, wire::EntryReply& reply);
  void reply_created(transport::Serving& serving, const Result<CreateReply>& made, int flags, wire::CreateReply& reply);

  // Opens those that the client's session does not have here, and says where the file lies. Nothing: it has all.
  Result<std::optional<Layout>> open_again(const Caller& caller, uint64_t session, InodeId id,
                                           const HandleCounts& handles);

  MetaService& service_;
  ClientSessions sessions_;
  static constexpr size_t kShards = 64;
  std::array<std::mutex, kShards> open_again_mutexes_;  // by inode: each handle once
};

}  // namespace forebay::meta
