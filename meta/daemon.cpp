#include "meta/daemon.h"

#include <sys/stat.h>

#include "core/cluster/identity_file.h"
#include "core/cluster/node.h"
#include "core/descriptor_limit.h"
#include "core/end_signal.h"
#include "core/log.h"
#include "core/protocol/wire/services.h"
#include "core/stripe/striped_storage.h"
#include "core/transport/server.h"
#include "meta/link_check.h"
#include "meta/server.h"
#include "meta/service/meta_dispatch.h"
#include "meta/service/peer_dispatch.h"

namespace forebay::meta {
namespace {

ServerInfo describe(const Config& config, const IdentityFile& identity) {
  ServerInfo info;
  info.role = ServerInfo::Role::kMeta;
  info.node = node_name_of(config);
  info.identity = "metad " + identity.identity();
  info.addresses = split_list(config.metad.listen);
  return info;
}

// The database of one metadata server in the hands of another would give numbers that are not its own.
Status check_number(const IdentityFile& identity, uint32_t number) {
  if (identity.cluster().empty() || identity.number() == number) return {};
  return fail(EXDEV, "metad: was metadata server {} and would be {} now", identity.number(), number);
}

}  // namespace

Status run_daemon(const Config& config, const std::function<void()>& ready) {
  EndSignal end;
  raise_descriptor_limit();
  ::umask(077);
  ASSIGN_OR_RETURN(const transport::Credentials credentials, check_member(config, config.metad.listen));
  ASSIGN_OR_RETURN(IdentityFile identity, IdentityFile::take(config.metad.data));
  transport::Server server({transport::Role::kMeta, node_name_of(config), identity.cluster(), 0}, credentials);
  RETURN_IF_ERROR(transport::listen_on_all(server, config.metad.listen));

  const ServerInfo self = describe(config, identity);
  ASSIGN_OR_RETURN(const std::unique_ptr<Node> node,
                   Node::join(config, transport::Role::kMeta, identity.cluster(), [&self] { return self; }));
  const auto cluster = node->membership().cluster();
  const uint32_t number = node->as_server().number;
  RETURN_IF_ERROR(check_number(identity, number));
  RETURN_IF_ERROR(identity.join(cluster->cluster, number));
  server.set_cluster(cluster->cluster);

  // What is transient lies on one node.
  const std::string transients = number == 0 ? config.metad.data + "/transient" : std::string();
  ASSIGN_OR_RETURN(const std::unique_ptr<consistency::ExternalTree> external,
                   consistency::ExternalTree::open(cluster->external, cluster->links, transients));
  ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::open(config.metad.data + "/metadata.db", number));
  RETURN_IF_ERROR(check_links(*store, cluster->links));
  const auto targets = [&node] { return node->membership().targets(); };
  MetaServer* meta_server = nullptr;
  StripedStorage storage({[&](InodeId id) { return meta_server->find_layout(id); },
                          [&](TargetId id) { return node->peers().storage(id); },
                          [&] { return node->membership().online_targets(); }});
  const auto reach = [&node](uint32_t other) { return node->peers().meta_peer(other); };
  MetaServer meta(config, std::move(store), *external, storage, targets, Ownership(number, cluster->metads, reach));
  meta_server = &meta;
  RETURN_IF_ERROR(meta.open_tree());
  MetaDispatch dispatch(meta);
  PeerDispatch peer_dispatch(meta);
  server.add(wire::kMetaServiceNumber, dispatch);
  server.add(wire::kMetaPeerServiceNumber, peer_dispatch);
  server.on_session_end([&dispatch](const transport::Party& peer) { dispatch.session_ended(peer); });
  ASSIGN_OR_RETURN(const std::set<uint64_t> holders, meta.keep_locks_in(config.metad.data + "/locks.db"));
  for (const uint64_t session : holders) server.expect_client(session);
  // Storage servers that settle what an earlier run left ask back.
  server.hold_clients();
  RETURN_IF_ERROR(server.start());
  if (Status started = meta.start(); !started) {
    server.stop();
    return started;
  }
  server.admit_clients();
  log(Module::kMeta).info("metad {} listens on {}", number, config.metad.listen);
  ready();
  end.wait();
  const bool in_use = server.has(transport::Role::kClient);
  server.stop();
  const Status stopped = meta.stop(MetaServer::End::kKeep);
  // Other servers find what is theirs through our directories.
  if (!in_use && cluster->metads == 1) (void)meta.forget_unused_directories();
  node->peers().shut_down();
  log(Module::kMeta).info("metad ended");
  return stopped;
}

}  // namespace forebay::meta
