#include "core/protocol/wire/convert_mgmt.h"

#include <algorithm>

namespace forebay::wire {
namespace {

// `last`: the greatest value that the enumeration has.
template <typename Enum>
Result<Enum> enum_of(uint32_t value, Enum last) {
  if (value > static_cast<uint32_t>(last)) return fail(EPROTO, "a state that this program does not know: {}", value);
  return static_cast<Enum>(value);
}

template <typename Enum>
uint32_t number_of(Enum value) {
  return static_cast<uint32_t>(value);
}

void encode(const forebay::TargetInfo& target, TargetInfo* message) {
  message->set_id(target.id);
  message->set_path(target.path);
  message->set_capacity_bytes(target.capacity_bytes);
  message->set_used_bytes(target.used_bytes);
  message->set_pool(number_of(target.pool));
  message->set_node(target.node);
  message->set_identity(target.identity);
  message->set_reachability(number_of(target.reachability));
  message->set_consistency(number_of(target.consistency));
  message->set_draining(target.draining);
  message->set_run(target.run);
}

Result<forebay::TargetInfo> decode(const TargetInfo& message) {
  forebay::TargetInfo target;
  target.id = message.id();
  target.path = message.path();
  target.capacity_bytes = message.capacity_bytes();
  target.used_bytes = message.used_bytes();
  ASSIGN_OR_RETURN(target.pool, enum_of(message.pool(), CapacityPool::kEmergency));
  target.node = message.node();
  target.identity = message.identity();
  ASSIGN_OR_RETURN(target.reachability, enum_of(message.reachability(), Reachability::kOffline));
  ASSIGN_OR_RETURN(target.consistency, enum_of(message.consistency(), Consistency::kBad));
  target.draining = message.draining();
  target.run = message.run();
  return target;
}

}  // namespace

void encode(const forebay::ServerInfo& server, ServerInfo* message) {
  message->set_role(number_of(server.role));
  message->set_node(server.node);
  message->set_identity(server.identity);
  for (const std::string& address : server.addresses) message->add_addresses(address);
  message->set_number(server.number);
  message->set_reachability(number_of(server.reachability));
  for (const forebay::TargetInfo& target : server.targets) encode(target, message->add_targets());
  message->set_clock(server.clock.time_since_epoch().count());
}

void encode(const forebay::ClusterInfo& cluster, ClusterInfo* message) {
  message->set_cluster(cluster.cluster);
  message->set_external(cluster.external);
  for (const Link& link : cluster.links) message->add_links(text_of(link));
  message->set_metads(cluster.metads);
  for (const forebay::ServerInfo& server : cluster.servers) encode(server, message->add_servers());
}

Result<forebay::ServerInfo> decode(const ServerInfo& message) {
  forebay::ServerInfo server;
  ASSIGN_OR_RETURN(server.role, enum_of(message.role(), forebay::ServerInfo::Role::kStorage));
  server.node = message.node();
  server.identity = message.identity();
  server.addresses.assign(message.addresses().begin(), message.addresses().end());
  server.number = message.number();
  ASSIGN_OR_RETURN(server.reachability, enum_of(message.reachability(), Reachability::kOffline));
  for (const TargetInfo& target : message.targets()) {
    ASSIGN_OR_RETURN(forebay::TargetInfo info, decode(target));
    server.targets.push_back(std::move(info));
  }
  constexpr int64_t kLatestClock = int64_t{1} << 40;  // so that differences are numbers
  server.clock = std::chrono::sys_seconds(std::chrono::seconds(std::clamp<int64_t>(message.clock(), 0, kLatestClock)));
  return server;
}

Result<forebay::ClusterInfo> decode(const ClusterInfo& message) {
  forebay::ClusterInfo cluster;
  cluster.cluster = message.cluster();
  cluster.external = message.external();
  for (const std::string& text : message.links()) {
    ASSIGN_OR_RETURN(Link link, parse_link(text));
    cluster.links.push_back(std::move(link));
  }
  cluster.metads = std::clamp<uint32_t>(message.metads(), 1, kMostMetads);
  for (const ServerInfo& server : message.servers()) {
    ASSIGN_OR_RETURN(forebay::ServerInfo info, decode(server));
    cluster.servers.push_back(std::move(info));
  }
  return cluster;
}

}  // namespace forebay::wire
