#include "core/cluster/peers.h"

#include <algorithm>

#include "core/protocol/remote_meta.h"
#include "core/protocol/remote_meta_peer.h"
#include "core/protocol/remote_storage.h"
#include "core/protocol/wire/services.h"

namespace forebay {
namespace {

// Keeps the channel as long as somebody has the service.
template <typename Remote, typename... Args>
std::shared_ptr<Remote> service_on(const std::shared_ptr<transport::Channel>& channel, Args... args) {
  struct Both {
    Both(std::shared_ptr<transport::Channel> shared, Args... rest)
        : channel(std::move(shared)), remote(*channel, rest...) {}
    const std::shared_ptr<transport::Channel> channel;
    Remote remote;
  };
  auto both = std::make_shared<Both>(channel, args...);
  return {both, &both->remote};
}

// Null: it has not reported yet.
const ServerInfo* find_metad(const ClusterInfo& cluster, uint32_t number) {
  for (const ServerInfo& info : cluster.servers) {
    if (info.role == ServerInfo::Role::kMeta && info.number == number && !info.addresses.empty()) return &info;
  }
  return nullptr;
}

}  // namespace

std::vector<transport::Address> reachable_addresses(const ServerInfo& info, const std::string& node) {
  std::vector<transport::Address> addresses;
  for (const std::string& text : info.addresses) {
    const Result<transport::Address> address = transport::parse_address(text);
    if (address && (!address->is_unix() || info.node == node)) addresses.push_back(*address);
  }
  std::stable_partition(addresses.begin(), addresses.end(), [](const auto& address) { return address.is_unix(); });
  return addresses;
}

Result<Peers::Server*> Peers::connect(const ServerInfo& info, uint32_t service) {
  if (shut_down_) return fail(ECANCELED);
  Server& server = servers_[{info.identity, service}];
  if (server.channel != nullptr && server.addresses == info.addresses) return &server;
  const std::vector<transport::Address> addresses = reachable_addresses(info, self_.node);
  if (addresses.empty()) return fail(EHOSTUNREACH, "node {}: none of its addresses can be used", info.node);
  server = {info.addresses, std::make_shared<transport::Channel>(addresses, service, self_, credentials_), {}, {}, {}};
  return &server;
}

Result<std::shared_ptr<StorageService>> Peers::find_storage(TargetId target) {
  const auto cluster = membership_.cluster();
  const std::lock_guard lock(mutex_);
  for (const ServerInfo& info : cluster->servers) {
    const bool has_it = std::any_of(info.targets.begin(), info.targets.end(),
                                    [&](const TargetInfo& known) { return known.id == target; });
    if (!has_it) continue;
    if (info.reachability == Reachability::kOffline) {
      return fail(EHOSTUNREACH, "target {} is on node {}, which is offline", target, info.node);
    }
    ASSIGN_OR_RETURN(Server * server, connect(info, wire::kStorageServiceNumber));
    auto& service = server->targets[target];
    if (service == nullptr) service = service_on<RemoteStorage>(server->channel, target);
    return service;
  }
  return std::shared_ptr<StorageService>();
}

Result<std::shared_ptr<MetaService>> Peers::find_meta(uint32_t number) {
  const auto cluster = membership_.cluster();
  const std::lock_guard lock(mutex_);
  const ServerInfo* const info = find_metad(*cluster, number);
  if (info == nullptr) return std::shared_ptr<MetaService>();
  ASSIGN_OR_RETURN(Server * server, connect(*info, wire::kMetaServiceNumber));
  if (server->meta == nullptr) server->meta = service_on<RemoteMeta>(server->channel);
  return server->meta;
}

Result<std::shared_ptr<MetaPeerService>> Peers::find_meta_peer(uint32_t number) {
  const auto cluster = membership_.cluster();
  const std::lock_guard lock(mutex_);
  const ServerInfo* const info = find_metad(*cluster, number);
  if (info == nullptr) return std::shared_ptr<MetaPeerService>();
  ASSIGN_OR_RETURN(Server * server, connect(*info, wire::kMetaPeerServiceNumber));
  if (server->meta_peer == nullptr) server->meta_peer = service_on<RemoteMetaPeer>(server->channel);
  return server->meta_peer;
}

template <typename Find>
auto Peers::find_or_ask(Find find, std::string_view what, uint32_t number) -> decltype(find()) {
  ASSIGN_OR_RETURN(auto found, find());
  if (found != nullptr) return found;
  RETURN_IF_ERROR(membership_.refresh());
  ASSIGN_OR_RETURN(found, find());
  if (found == nullptr) return fail(ENXIO, "there is no {} {}", what, number);
  return found;
}

Result<std::shared_ptr<StorageService>> Peers::storage(TargetId target) {
  return find_or_ask([&] { return find_storage(target); }, "target", target);
}

Result<std::shared_ptr<MetaService>> Peers::meta(uint32_t number) {
  return find_or_ask([&] { return find_meta(number); }, "metadata server", number);
}

Result<std::shared_ptr<MetaPeerService>> Peers::meta_peer(uint32_t number) {
  return find_or_ask([&] { return find_meta_peer(number); }, "metadata server", number);
}

void Peers::shut_down() {
  const std::lock_guard lock(mutex_);
  shut_down_ = true;
  for (auto& [identity, server] : servers_) {
    if (server.channel != nullptr) server.channel->shut_down();
  }
}

}  // namespace forebay
