#include "core/protocol/remote_meta_peer.h"

#include "core/protocol/remote_call.h"
#include "core/protocol/wire/convert.h"
#include "core/protocol/wire/convert_meta_peer.h"

namespace forebay {
namespace {

wire::Identity message_of(const Identity& identity) {
  wire::Identity message;
  wire::encode(identity, message);
  return message;
}

template <typename Message, typename Step>
Status tell_step(wire::MetaPeer& stub, RemoteMethod<wire::MetaPeer, Message, wire::Done> method, const Step& step) {
  Message message;
  wire::encode(step, message);
  return tell(stub, method, message);
}

}  // namespace

Result<ObjectPlaces> RemoteMetaPeer::where(InodeId id, const Identity& identity, std::chrono::milliseconds limit) {
  wire::WhereRequest request;
  request.set_id(id);
  wire::encode(identity, *request.mutable_identity());
  ASSIGN_OR_RETURN(const auto reply, ask<wire::MetaPeer>(stub_, &wire::MetaPeer::Where, request, limit));
  return wire::decode(reply);
}

Result<bool> RemoteMetaPeer::has(const Identity& identity) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::MetaPeer>(stub_, &wire::MetaPeer::Has, message_of(identity)));
  return reply.has();
}

Result<uint32_t> RemoteMetaPeer::find_owner(const Identity& identity) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::MetaPeer>(stub_, &wire::MetaPeer::FindOwner, message_of(identity)));
  return reply.owner();
}

Result<OwnedObject> RemoteMetaPeer::named(InodeId directory, const std::string& name) {
  wire::NamedRequest request;
  request.set_directory(directory);
  request.set_name(name);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::MetaPeer>(stub_, &wire::MetaPeer::Named, request));
  return wire::decode(reply);
}

Status RemoteMetaPeer::remove_object(const RemoveStep& step) {
  return tell_step(stub_, &wire::MetaPeer::RemoveObject, step);
}

Status RemoteMetaPeer::link_object(const LinkStep& step) { return tell_step(stub_, &wire::MetaPeer::LinkObject, step); }

Status RemoteMetaPeer::rename_step(const RenameStep& step) { return tell_step(stub_, &wire::MetaPeer::Rename, step); }

}  // namespace forebay
