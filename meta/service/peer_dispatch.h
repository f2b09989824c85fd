// PeerDispatch: the server side of RemoteMetaPeer. Only metadata servers may ask: others get EPERM.
#pragma once

#include "core/protocol/meta_peer_service.h"
#include "core/protocol/wire/meta_peer.pb.h"

namespace forebay::meta {

// Thread safe. Each method is given a transport::Serving as its controller.
class PeerDispatch final : public wire::MetaPeer {
 public:
  // `service` outlives this.
  explicit PeerDispatch(MetaPeerService& service) : service_(service) {}

  using Controller = google::protobuf::RpcController;
  using Closure = google::protobuf::Closure;
  void CallMethod(const google::protobuf::MethodDescriptor* method, Controller* controller,
                  const google::protobuf::Message* request, google::protobuf::Message* reply, Closure* done) override;
  void Where(Controller* controller, const wire::WhereRequest* request, wire::WhereReply* reply, Closure*) override;
  void Has(Controller* controller, const wire::Identity* request, wire::HasReply* reply, Closure*) override;
  void FindOwner(Controller* controller, const wire::Identity* request, wire::FindOwnerReply* reply, Closure*) override;
  void Named(Controller* controller, const wire::NamedRequest* request, wire::OwnedObject* reply, Closure*) override;
  void RemoveObject(Controller* controller, const wire::RemoveStep* request, wire::Done* reply, Closure*) override;
  void LinkObject(Controller* controller, const wire::LinkStep* request, wire::Done* reply, Closure*) override;
  void Rename(Controller* controller, const wire::RenameStep* request, wire::Done* reply, Closure*) override;

 private:
  MetaPeerService& service_;
};

}  // namespace forebay::meta
