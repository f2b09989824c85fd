#include "core/cluster/node.h"

#include "core/protocol/wire/services.h"
#include "core/transport/server.h"

namespace forebay {

Result<transport::Secret> read_secret(const Config& config) {
  if (config.cluster.secret_file == "none") return transport::Secret();
  return transport::Secret::read(config.cluster.secret_file);
}

Result<transport::Secret> check_member(const Config& config, const std::string& listen) {
  if (config.cluster.mgmtd == "none") return fail(EINVAL, "cluster.mgmtd: is not set");
  ASSIGN_OR_RETURN(transport::Secret secret, read_secret(config));
  RETURN_IF_ERROR(transport::check_listen(secret, listen));
  return secret;
}

Node::Node(const transport::Address& mgmtd, transport::Party self, transport::Secret secret)
    : self_(std::move(self)),
      secret_(std::move(secret)),
      channel_({mgmtd}, wire::kManagementServiceNumber, self_, secret_),
      mgmt_(channel_),
      membership_(mgmt_) {}

Node::~Node() {
  channel_.shut_down();
  membership_.stop();
  if (peers_ != nullptr) peers_->shut_down();
}

Result<std::unique_ptr<Node>> Node::join(const Config& config, transport::Role role, const std::string& cluster,
                                         std::function<ServerInfo()> as_server) {
  if (config.cluster.mgmtd == "none") return fail(EINVAL, "cluster.mgmtd: is not set");
  ASSIGN_OR_RETURN(const transport::Address mgmtd, transport::parse_address(config.cluster.mgmtd));
  ASSIGN_OR_RETURN(transport::Secret secret, read_secret(config));
  transport::Party self{role, node_name_of(config), cluster, transport::random_number()};
  std::unique_ptr<Node> node(new Node(mgmtd, std::move(self), std::move(secret)));
  if (as_server) {
    Result<ServerInfo> joined = node->membership_.join(std::move(as_server));
    if (!joined) return fail(joined.error().code, "mgmtd: {}", joined.error().context);
    node->as_server_ = *std::move(joined);
  }
  const Status started = node->membership_.start();
  if (!started) return fail(started.error().code, "mgmtd: {}", started.error().context);
  node->self_.cluster = node->membership_.cluster()->cluster;
  node->peers_ = std::make_unique<Peers>(node->membership_, node->self_, node->secret_);
  return node;
}

}  // namespace forebay
