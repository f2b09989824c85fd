#include "mgmt/server.h"

#include <algorithm>

#include "core/log.h"

namespace forebay::mgmt {
namespace {

CapacityPool pool_of(uint64_t capacity_bytes, uint64_t used_bytes) {
  constexpr uint64_t kLowPercent = 10;       // free
  constexpr uint64_t kEmergencyPercent = 2;  // free
  const uint64_t free_bytes = capacity_bytes > used_bytes ? capacity_bytes - used_bytes : 0;
  if (free_bytes * 100 < capacity_bytes * kEmergencyPercent) return CapacityPool::kEmergency;
  if (free_bytes * 100 < capacity_bytes * kLowPercent) return CapacityPool::kLow;
  return CapacityPool::kNormal;
}

// What a server may say of itself: all of it is kept, and goes to everybody once a second.
bool makes_sense(const ServerInfo& server) {
  constexpr size_t kMostNameBytes = 255, kMostPathBytes = 4096, kMostAddresses = 16, kMostTargets = 64;
  const auto is_name = [](const std::string& name) { return name.size() <= kMostNameBytes; };
  const auto is_address = [](const std::string& address) { return address.size() <= kMostPathBytes; };
  const auto is_target = [&](const TargetInfo& target) {
    return is_name(target.identity) && target.path.size() <= kMostPathBytes;
  };
  return is_name(server.identity) && is_name(server.node) && server.addresses.size() <= kMostAddresses &&
         server.targets.size() <= kMostTargets &&
         std::all_of(server.addresses.begin(), server.addresses.end(), is_address) &&
         std::all_of(server.targets.begin(), server.targets.end(), is_target);
}

}  // namespace

MgmtServer::MgmtServer(Options options, std::unique_ptr<Store> store)
    : options_(std::move(options)), store_(std::move(store)) {}

MgmtServer::MgmtServer() : MgmtServer(Options{}, nullptr) {}

Status MgmtServer::load() {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const std::vector<Store::Member> members, store_->members());
  for (const Store::Member& member : members) {
    numbers_[{member.kind, member.identity}] = member.number;
    if (member.kind != Store::Kind::kTarget) continue;
    // Which server has it now is not known; it is shown all the same, so that it can be missed.
    TargetInfo target;
    target.id = member.number;
    target.identity = member.identity;
    target.node = member.node;
    target.draining = member.draining;
    Known& absent = servers_["absent:" + member.identity];
    absent.info.node = member.node;
    absent.info.targets = {target};
  }
  return {};
}

Reachability MgmtServer::reachability_of(const Known& server) const {
  if (!server.seen) return Reachability::kOffline;
  const auto silence = options_.now() - server.last_seen;
  if (silence < kProbablyOffline) return Reachability::kOnline;
  return silence < kOffline ? Reachability::kProbablyOffline : Reachability::kOffline;
}

// A directory that was copied with all that is in it would be the same target twice.
Status MgmtServer::check(const ServerInfo& server) const {
  for (const auto& [identity, known] : servers_) {
    // The same server, started again; but on another node it is a copy of that one's directory.
    const bool is_same = identity == server.identity && known.info.node == server.node;
    if (is_same || reachability_of(known) != Reachability::kOnline) continue;
    for (const TargetInfo& theirs : known.info.targets) {
      for (const TargetInfo& target : server.targets) {
        if (target.identity != theirs.identity) continue;
        return fail(EEXIST, "target {} of {} is in use on {} ({}) already; was its directory copied?", target.path,
                    server.node, theirs.node, theirs.path);
      }
    }
  }
  return {};
}

Result<uint32_t> MgmtServer::number_of(Store::Kind kind, const std::string& identity, const std::string& node,
                                       uint32_t wanted) {
  if (const auto known = numbers_.find({kind, identity}); known != numbers_.end()) return known->second;
  uint32_t next = wanted;
  for (const auto& [key, number] : numbers_) {
    if (key.first == kind) next = std::max(next, number + 1);
  }
  if (numbers_.size() >= kMostMembers) return fail(ENOSPC, "{} numbers are given; {} gets none", kMostMembers, node);
  if (store_ != nullptr) RETURN_IF_ERROR(store_->put({kind, identity, next, node, false}));
  numbers_[{kind, identity}] = next;
  return next;
}

Status MgmtServer::number(ServerInfo& server) {
  if (server.role == ServerInfo::Role::kMeta) {
    const auto is_metad = [](const auto& entry) { return entry.first.first == Store::Kind::kMeta; };
    const auto given = std::count_if(numbers_.begin(), numbers_.end(), is_metad);
    if (!numbers_.contains({Store::Kind::kMeta, server.identity}) && given >= options_.metads) {
      return fail(ENOSPC, "the cluster has its {} metadata server{} (mgmtd.metads); that of {} would be one more",
                  given, given == 1 ? "" : "s", server.node);
    }
    ASSIGN_OR_RETURN(server.number, number_of(Store::Kind::kMeta, server.identity, server.node, 0));
  }
  for (TargetInfo& target : server.targets) {
    // 0 is the target of a cache in one process, and no target of a cluster.
    const uint32_t least = store_ == nullptr ? target.id : 1;
    ASSIGN_OR_RETURN(target.id, number_of(Store::Kind::kTarget, target.identity, server.node, least));
    target.node = server.node;
    target.pool = pool_of(target.capacity_bytes, target.used_bytes);
  }
  return {};
}

void MgmtServer::watch_clock(Known& known) const {
  if (known.info.clock == std::chrono::sys_seconds{}) return;
  const std::chrono::seconds ahead = known.info.clock - options_.clock();
  const bool differs = std::chrono::abs(ahead) > kMostClockSkew;
  if (differs == known.clock_differs) return;
  known.clock_differs = differs;
  const std::string& node = known.info.node;
  if (differs) {
    log(Module::kMgmt)
        .warn("{}: its clock is {} s {} that of this node; times of files will differ as much", node,
              std::chrono::abs(ahead).count(), ahead.count() < 0 ? "behind" : "ahead of");
  } else {
    log(Module::kMgmt).info("{}: its clock is right again", node);
  }
}

// What only mgmtd knows of the targets.
void MgmtServer::take_over(const ServerInfo& before, ServerInfo& after) const {
  for (TargetInfo& target : after.targets) {
    for (const TargetInfo& known : before.targets) {
      if (known.identity != target.identity) continue;
      target.draining = known.draining;
      target.consistency = known.consistency;
    }
  }
}

Result<ServerInfo> MgmtServer::report(const ServerInfo& server) {
  if (!makes_sense(server)) return fail(EINVAL, "a server that cannot be: names, addresses or targets");
  const std::lock_guard lock(mutex_);
  if (!servers_.contains(server.identity) && servers_.size() >= kMostServers) {
    return fail(ENOSPC, "{} servers are known; there is no room for {}", servers_.size(), server.node);
  }
  RETURN_IF_ERROR(check(server));
  ServerInfo numbered = server;
  RETURN_IF_ERROR(number(numbered));
  for (const TargetInfo& target : numbered.targets) {
    for (auto at = servers_.begin(); at != servers_.end();) {
      const auto& theirs = at->second.info.targets;
      const bool has_it = std::any_of(theirs.begin(), theirs.end(),
                                      [&](const TargetInfo& known) { return known.identity == target.identity; });
      if (has_it) take_over(at->second.info, numbered);
      // It has moved with its disk, or was known from before our start.
      at = has_it && at->first != server.identity ? servers_.erase(at) : std::next(at);
    }
  }
  Known& known = servers_[server.identity];
  known.info = numbered;
  known.last_seen = options_.now();
  known.seen = true;
  watch_clock(known);
  return numbered;
}

Result<ClusterInfo> MgmtServer::cluster() {
  const std::lock_guard lock(mutex_);
  ClusterInfo info{options_.cluster, options_.external, options_.links, options_.metads, {}};
  for (const auto& [identity, known] : servers_) {
    ServerInfo server = known.info;
    server.reachability = reachability_of(known);
    for (TargetInfo& target : server.targets) target.reachability = server.reachability;
    info.servers.push_back(std::move(server));
  }
  return info;
}

Status MgmtServer::drain(TargetId id, bool draining) {
  const std::lock_guard lock(mutex_);
  for (auto& [identity, known] : servers_) {
    for (TargetInfo& target : known.info.targets) {
      if (target.id != id) continue;
      if (store_ != nullptr) {
        RETURN_IF_ERROR(store_->put({Store::Kind::kTarget, target.identity, id, target.node, draining}));
      }
      target.draining = draining;
      return {};
    }
  }
  return fail(ENOENT, "there is no target {}", id);
}

}  // namespace forebay::mgmt
