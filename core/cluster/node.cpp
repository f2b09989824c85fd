#include "core/cluster/node.h"

#include "core/protocol/wire/services.h"
#include "core/transport/server.h"

namespace forebay {

Result<transport::Credentials> read_credentials(const Config& config) {
  const Config::Cluster& cluster = config.cluster;
  transport::Credentials credentials;
  if (cluster.secret_file != "none") {
    ASSIGN_OR_RETURN(credentials.secret, transport::Secret::read(cluster.secret_file));
  }
  if (cluster.tls_certificate != "none") {
    ASSIGN_OR_RETURN(credentials.tls,
                     transport::TlsContext::read({cluster.tls_certificate, cluster.tls_key, cluster.tls_ca}));
  }
  return credentials;
}

Result<transport::Credentials> check_member(const Config& config, const std::string& listen) {
  if (config.cluster.mgmtd == "none") return fail(EINVAL, "cluster.mgmtd: is not set");
  ASSIGN_OR_RETURN(transport::Credentials credentials, read_credentials(config));
  RETURN_IF_ERROR(transport::check_listen(credentials, listen));
  return credentials;
}

Node::Node(const transport::Address& mgmtd, transport::Party self, transport::Credentials credentials)
    : self_(std::move(self)),
      credentials_(std::move(credentials)),
      channel_({mgmtd}, wire::kManagementServiceNumber, self_, credentials_),
      mgmt_(channel_),
      membership_(mgmt_),
      known_(mgmt_, membership_) {}

Node::~Node() {
  channel_.shut_down();
  membership_.stop();
  if (peers_ != nullptr) peers_->shut_down();
}

Result<std::unique_ptr<Node>> Node::join(const Config& config, transport::Role role, const std::string& cluster,
                                         std::function<ServerInfo()> as_server) {
  if (config.cluster.mgmtd == "none") return fail(EINVAL, "cluster.mgmtd: is not set");
  ASSIGN_OR_RETURN(const transport::Address mgmtd, transport::parse_address(config.cluster.mgmtd));
  ASSIGN_OR_RETURN(transport::Credentials credentials, read_credentials(config));
  transport::Party self{role, node_name_of(config), cluster, transport::random_number()};
  std::unique_ptr<Node> node(new Node(mgmtd, std::move(self), std::move(credentials)));
  if (as_server) {
    Result<ServerInfo> joined = node->membership_.join(std::move(as_server));
    if (!joined) return fail(joined.error().code, "mgmtd: {}", joined.error().context);
    node->as_server_ = *std::move(joined);
  }
  const Status started = node->membership_.start();
  if (!started) return fail(started.error().code, "mgmtd: {}", started.error().context);
  node->self_.cluster = node->membership_.cluster()->cluster;
  node->peers_ = std::make_unique<Peers>(node->membership_, node->self_, node->credentials_);
  return node;
}

}  // namespace forebay
