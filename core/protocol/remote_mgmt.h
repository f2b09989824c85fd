// RemoteMgmt: mgmtd, asked over a channel.
#pragma once

#include "core/protocol/mgmt_service.h"
#include "core/protocol/wire/mgmt.pb.h"
#include "core/transport/channel.h"

namespace forebay {

class RemoteMgmt final : public MgmtService {
 public:
  // `channel` outlives this.
  explicit RemoteMgmt(transport::Channel& channel) : stub_(&channel) {}

  Result<ServerInfo> report(const ServerInfo& server) override;
  Result<ClusterInfo> cluster() override;
  Status drain(TargetId target, bool draining) override;

 private:
  wire::Mgmt_Stub stub_;
};

}  // namespace forebay
