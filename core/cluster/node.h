// Node: what every member of a cluster has: its credentials, a name, the way to mgmtd, and through that to all the
// others.
#pragma once

#include <memory>
#include <string>

#include "core/cluster/known_cluster.h"
#include "core/cluster/membership.h"
#include "core/cluster/peers.h"
#include "core/config.h"
#include "core/protocol/remote_mgmt.h"

namespace forebay {

// cluster.secret_file and cluster.tls_*, or none of them. EINVAL: what is wrong with them; errors of the files.
Result<transport::Credentials> read_credentials(const Config& config);

// What can be wrong with a server's configuration, before anything is made of it. EINVAL, EACCES, and errors of
// read_credentials().
Result<transport::Credentials> check_member(const Config& config, const std::string& listen);

class Node {
 public:
  // Asks mgmtd, for as long as a request may take. `cluster`: the one that this member belongs to; empty: it is new.
  // `as_server`: what it reports of itself; none: it is a client. Errors name cluster.mgmtd.
  static Result<std::unique_ptr<Node>> join(const Config& config, transport::Role role, const std::string& cluster,
                                            std::function<ServerInfo()> as_server = {});
  ~Node();

  const std::string& name() const { return self_.node; }
  // What mgmtd made of as_server().
  const ServerInfo& as_server() const { return as_server_; }
  MgmtService& mgmt() { return known_; }
  Membership& membership() { return membership_; }
  Peers& peers() { return *peers_; }

 private:
  Node(const transport::Address& mgmtd, transport::Party self, transport::Credentials credentials);

  transport::Party self_;
  const transport::Credentials credentials_;
  transport::Channel channel_;
  RemoteMgmt mgmt_;
  Membership membership_;
  KnownCluster known_;
  ServerInfo as_server_;
  std::unique_ptr<Peers> peers_;
};

}  // namespace forebay
