// KnownCluster: mgmtd as the requests of a client's programs see it. Who is in the cluster is what Membership heard
// last, a second ago or so: nobody waits for an mgmtd that is not there.
#pragma once

#include "core/cluster/membership.h"

namespace forebay {

// Thread safe.
class KnownCluster final : public MgmtService {
 public:
  // Both outlive this.
  KnownCluster(MgmtService& mgmtd, Membership& membership) : mgmtd_(mgmtd), membership_(membership) {}

  Result<ServerInfo> report(const ServerInfo& server) override { return mgmtd_.report(server); }
  Result<ClusterInfo> cluster() override {
    ClusterInfo info = *membership_.cluster();
    info.age = membership_.age();
    return info;
  }
  // Who asks next sees it.
  Status drain(TargetId target, bool draining) override {
    RETURN_IF_ERROR(mgmtd_.drain(target, draining));
    return membership_.refresh();
  }

 private:
  MgmtService& mgmtd_;
  Membership& membership_;
};

}  // namespace forebay
