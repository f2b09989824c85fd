// MgmtDispatch: requests from the wire, to the MgmtService of this process.
#pragma once

#include "core/protocol/mgmt_service.h"
#include "core/protocol/wire/mgmt.pb.h"

namespace forebay::mgmt {

class MgmtDispatch final : public wire::Mgmt {
 public:
  explicit MgmtDispatch(MgmtService& service) : service_(service) {}

  void Report(google::protobuf::RpcController* controller, const wire::ServerInfo* request, wire::ServerInfo* reply,
              google::protobuf::Closure*) override;
  void Cluster(google::protobuf::RpcController* controller, const wire::ClusterRequest* request,
               wire::ClusterInfo* reply, google::protobuf::Closure*) override;
  void Drain(google::protobuf::RpcController* controller, const wire::DrainRequest* request, wire::DrainReply* reply,
             google::protobuf::Closure*) override;

 private:
  MgmtService& service_;
};

}  // namespace forebay::mgmt
