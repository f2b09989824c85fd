#include "storage/daemon.h"

#include <sys/stat.h>

#include <map>
#include <mutex>

#include "core/cluster/callback_router.h"
#include "core/cluster/identity_file.h"
#include "core/cluster/node.h"
#include "core/descriptor_limit.h"
#include "core/end_signal.h"
#include "core/log.h"
#include "core/protocol/wire/services.h"
#include "core/transport/server.h"
#include "storage/server_options.h"
#include "storage/service/storage_dispatch.h"

namespace forebay::storage {
namespace {

// One target: its directory, and what serves it.
struct Target {
  std::string directory;
  IdentityFile identity;
  uint64_t run = 0;
  std::unique_ptr<StorageServer> server;
};

Result<std::vector<Target>> take_targets(const Config& config) {
  std::vector<Target> targets;
  const uint64_t run = transport::random_number();
  for (const std::string& directory : split_list(config.storaged.targets)) {
    ASSIGN_OR_RETURN(IdentityFile identity, IdentityFile::take(directory));
    targets.push_back({directory, std::move(identity), run, nullptr});
  }
  return targets;
}

// All of one server belong to one cluster, if they belong to one.
Result<std::string> cluster_of(const std::vector<Target>& targets) {
  std::string cluster;
  for (const Target& target : targets) {
    const std::string& theirs = target.identity.cluster();
    if (!theirs.empty() && !cluster.empty() && theirs != cluster) {
      return fail(EXDEV, "target {}: is of cluster {}, another one of cluster {}", target.directory, theirs, cluster);
    }
    if (!theirs.empty()) cluster = theirs;
  }
  return cluster;
}

// What mgmtd is told, now and with each heartbeat.
ServerInfo describe(const Config& config, const std::vector<Target>& targets) {
  ServerInfo info;
  info.role = ServerInfo::Role::kStorage;
  info.node = node_name_of(config);
  info.identity = "storaged of " + targets.front().identity.identity();
  info.addresses = split_list(config.storaged.listen);
  for (const Target& target : targets) {
    TargetInfo& told = info.targets.emplace_back();
    told.path = target.directory;
    told.identity = target.identity.identity();
    told.run = target.run;
    if (target.server == nullptr) continue;
    const SpaceReport space = target.server->space();
    told.capacity_bytes = space.capacity_bytes;
    told.used_bytes = space.used_bytes;
  }
  return info;
}

Status open_target(const Config& config, const consistency::ExternalTree& external, Target& target, TargetId id) {
  ASSIGN_OR_RETURN(StorageServer::Options options, server_options(config, target.directory));
  options.target = id;
  options.run = target.run;
  options.target_directory = target.directory + "/chunks";
  options.paces_writers = true;
  options.each_write_goes_out = config.flush.policy == FlushPolicy::kWriteThrough;
  target.server = std::make_unique<StorageServer>(options, external);
  return target.server->open();
}

}  // namespace

Status run_daemon(const Config& config, const std::function<void()>& ready) {
  EndSignal end;
  raise_descriptor_limit();
  ::umask(077);
  ASSIGN_OR_RETURN(const transport::Credentials credentials, check_member(config, config.storaged.listen));
  ASSIGN_OR_RETURN(std::vector<Target> targets, take_targets(config));
  ASSIGN_OR_RETURN(const std::string cluster, cluster_of(targets));
  // The port first: who is told of us shall find us.
  std::map<TargetId, StorageServer*> by_id;
  StorageDispatch dispatch([&by_id](TargetId id) -> StorageService* {
    const auto found = by_id.find(id);
    return found == by_id.end() ? nullptr : found->second;
  });
  transport::Server server({transport::Role::kStorage, node_name_of(config), cluster, 0}, credentials);
  RETURN_IF_ERROR(transport::listen_on_all(server, config.storaged.listen));

  std::mutex mutex;  // of the targets, which heartbeats look at from now on
  ASSIGN_OR_RETURN(const std::unique_ptr<Node> node, Node::join(config, transport::Role::kStorage, cluster, [&] {
                     const std::lock_guard lock(mutex);
                     return describe(config, targets);
                   }));
  const auto joined = node->membership().cluster();
  server.set_cluster(joined->cluster);
  ASSIGN_OR_RETURN(const std::unique_ptr<consistency::ExternalTree> external,
                   consistency::ExternalTree::open(joined->external, joined->links));
  CallbackRouter meta(node->peers(), node->membership());
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::lock_guard lock(mutex);
    const TargetId id = node->as_server().targets.at(i).id;
    RETURN_IF_ERROR(targets[i].identity.join(joined->cluster, id));
    RETURN_IF_ERROR(open_target(config, *external, targets[i], id));
    targets[i].server->start(meta);
    by_id[id] = targets[i].server.get();
  }
  server.add(wire::kStorageServiceNumber, dispatch);
  server.on_session_end([&dispatch](const transport::Party& peer) { dispatch.session_ended(peer); });
  RETURN_IF_ERROR(server.start());
  log(Module::kStorage).info("storaged listens on {}", config.storaged.listen);
  ready();
  end.wait();
  // What waits for a metadata server that has ended before is not waited for; and nobody hears an error of that.
  server.end_connections();
  node->peers().shut_down();
  for (Target& target : targets) target.server->stop();
  server.stop();
  for (Target& target : targets) target.server->end_in_order();
  log(Module::kStorage).info("storaged ended");
  return {};
}

}  // namespace forebay::storage
