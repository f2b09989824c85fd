// Between the structs of MgmtService and its messages.
#pragma once

#include "core/protocol/mgmt_service.h"
#include "core/protocol/wire/mgmt.pb.h"

namespace forebay::wire {

void encode(const forebay::ServerInfo& server, ServerInfo* message);
void encode(const forebay::ClusterInfo& cluster, ClusterInfo* message);
// EPROTO for values that this program does not know.
Result<forebay::ServerInfo> decode(const ServerInfo& message);
Result<forebay::ClusterInfo> decode(const ClusterInfo& message);

}  // namespace forebay::wire
