#include "mgmt/service/mgmt_dispatch.h"

#include "core/protocol/wire/convert_mgmt.h"
#include "core/transport/serving.h"

namespace forebay::mgmt {
namespace {

transport::Serving& serving_of(google::protobuf::RpcController* controller) {
  return *static_cast<transport::Serving*>(controller);
}

}  // namespace

void MgmtDispatch::Report(google::protobuf::RpcController* controller, const wire::ServerInfo* request,
                          wire::ServerInfo* reply, google::protobuf::Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Result<ServerInfo> server = wire::decode(*request);
  if (!server) return serving.fail(server.error());
  const Result<ServerInfo> reported = service_.report(*server);
  if (!reported) return serving.fail(reported.error());
  wire::encode(*reported, reply);
}

void MgmtDispatch::Cluster(google::protobuf::RpcController* controller, const wire::ClusterRequest*,
                           wire::ClusterInfo* reply, google::protobuf::Closure*) {
  const Result<ClusterInfo> cluster = service_.cluster();
  if (!cluster) return serving_of(controller).fail(cluster.error());
  wire::encode(*cluster, reply);
}

void MgmtDispatch::Drain(google::protobuf::RpcController* controller, const wire::DrainRequest* request,
                         wire::DrainReply*, google::protobuf::Closure*) {
  serving_of(controller).take(service_.drain(request->target(), request->draining()));
}

}  // namespace forebay::mgmt
