#include "meta/service/peer_dispatch.h"

#include "core/protocol/wire/convert_meta_peer.h"
#include "meta/service/dispatch_tools.h"

namespace forebay::meta {

void PeerDispatch::CallMethod(const google::protobuf::MethodDescriptor* method, Controller* controller,
                              const google::protobuf::Message* request, google::protobuf::Message* reply,
                              Closure* done) {
  transport::Serving& serving = serving_of(controller);
  const transport::Party& peer = serving.peer();
  if (peer.role != transport::Role::kMeta) {
    return serving.fail({EPERM, fmt::format("{} is for metadata servers; {} {} asked", method->name(),
                                            role_name(peer.role), peer.node)});
  }
  wire::MetaPeer::CallMethod(method, controller, request, reply, done);
}

void PeerDispatch::Where(Controller* controller, const wire::WhereRequest* request, wire::WhereReply* reply, Closure*) {
  reply_with(serving_of(controller), service_.where(request->id(), wire::decode(request->identity()), {}), *reply);
}

void PeerDispatch::Has(Controller* controller, const wire::Identity* request, wire::HasReply* reply, Closure*) {
  const Result<bool> has = service_.has(wire::decode(*request));
  if (!has) return serving_of(controller).fail(has.error());
  reply->set_has(*has);
}

void PeerDispatch::FindOwner(Controller* controller, const wire::Identity* request, wire::FindOwnerReply* reply,
                             Closure*) {
  const Result<uint32_t> owner = service_.find_owner(wire::decode(*request));
  if (!owner) return serving_of(controller).fail(owner.error());
  reply->set_owner(*owner);
}

void PeerDispatch::Named(Controller* controller, const wire::NamedRequest* request, wire::OwnedObject* reply,
                         Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  reply_with(serving, service_.named(request->directory(), request->name()), *reply);
}

void PeerDispatch::RemoveObject(Controller* controller, const wire::RemoveStep* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  serving.take(service_.remove_object(wire::decode(*request)));
}

void PeerDispatch::LinkObject(Controller* controller, const wire::LinkStep* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  serving.take(service_.link_object(wire::decode(*request)));
}

void PeerDispatch::Rename(Controller* controller, const wire::RenameStep* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name()) || !is_name(serving, request->new_name())) return;
  serving.take(service_.rename_step(wire::decode(*request)));
}

}  // namespace forebay::meta
