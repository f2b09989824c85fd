#include "core/protocol/remote_mgmt.h"

#include "core/protocol/wire/convert_mgmt.h"

namespace forebay {

Result<ServerInfo> RemoteMgmt::report(const ServerInfo& server) {
  transport::Call call;
  wire::ServerInfo request, reply;
  wire::encode(server, &request);
  stub_.Report(&call, &request, &reply, nullptr);
  RETURN_IF_ERROR(call.status);
  return wire::decode(reply);
}

Result<ClusterInfo> RemoteMgmt::cluster() {
  transport::Call call;
  wire::ClusterInfo reply;
  const wire::ClusterRequest request;
  stub_.Cluster(&call, &request, &reply, nullptr);
  RETURN_IF_ERROR(call.status);
  return wire::decode(reply);
}

Status RemoteMgmt::drain(TargetId target, bool draining) {
  transport::Call call;
  wire::DrainRequest request;
  request.set_target(target);
  request.set_draining(draining);
  wire::DrainReply reply;
  stub_.Drain(&call, &request, &reply, nullptr);
  return call.status;
}

}  // namespace forebay
