// What the mount says about itself and its files: JSON, and extended attributes.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cachefs/control.h"
#include "cachefs/session.h"
#include "core/layout.h"

namespace forebay::cachefs {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(CapacityPool pool) {
  switch (pool) {
    case CapacityPool::kNormal:
      return "normal";
    case CapacityPool::kLow:
      return "low";
    case CapacityPool::kEmergency:
      break;
  }
  return "emergency";
}

void put_state(const TargetInfo& target, Json& row) {
  constexpr const char* kReachability[] = {"online", "probably-offline", "offline"};
  constexpr const char* kConsistency[] = {"good", "needs-resync", "resyncing", "bad"};
  row["node"] = target.node;
  row["reachability"] = kReachability[static_cast<size_t>(target.reachability)];
  row["consistency"] = kConsistency[static_cast<size_t>(target.consistency)];
  row["draining"] = target.draining;
}

// Where there are any.
void put_links(const std::vector<Link>& links, Json& json) {
  for (const Link& link : links) {
    Json& row = json["links"].emplace_back();
    row["directory"] = link.directory;
    row["external"] = link.transient() ? Json() : Json(link.external);
    row["transient"] = link.transient();
  }
}

// Of reads that are not passed through.
std::string splice_report(Session& session) {
  if (!session.can_splice) return "off: this kernel has none";
  return session.ring.report() == "on" ? "off: replies go through io_uring" : "on";
}

// In one process the mount reports the target.
void report_own_target(Session& session, const CacheStatus& status) {
  const Result<ClusterInfo> known = session.mgmt.cluster();
  if (!known || known->servers.empty()) return;
  ServerInfo server = known->servers.front();
  server.targets.front().capacity_bytes = status.capacity_bytes;
  server.targets.front().used_bytes = status.used_bytes;
  (void)session.mgmt.report(server);
}

}  // namespace

std::string status_json(Session& session) {
  const CacheStatus status = session.meta.status();
  if (!session.in_cluster()) report_own_target(session, status);
  Json json;
  json["external"] = session.options.external;
  const ClusterInfo cluster = session.mgmt.cluster().value_or(ClusterInfo{});
  put_links(cluster.links, json);
  json["mountpoint"] = session.options.mountpoint;
  if (!session.in_cluster()) {
    json["cache"] = session.options.caches.front();
  } else {
    json["mgmtd"] = session.options.config.cluster.mgmtd;
    json["mgmtd_silent_s"] = cluster.age.count();
    json["node"] = node_name_of(session.options.config);
  }
  json["pid"] = ::getpid();
  json["version"] = FOREBAY_VERSION;
  json["capacity_bytes"] = status.capacity_bytes;
  json["used_bytes"] = status.used_bytes;
  // Whoever waits for a zero must not take it from those who answer.
  const bool known = status.silent_servers == 0;
  json["dirty_bytes"] = known ? Json(status.dirty_bytes) : Json();
  json["dirty_files"] = known ? Json(status.dirty_files) : Json();
  if (session.in_cluster()) json["silent_servers"] = status.silent_servers;
  json["cached_files"] = status.cached_files;
  json["hits"] = status.hits;
  json["misses"] = status.misses;
  json["fetched_bytes"] = status.fetched_bytes;
  json["flushed_bytes"] = status.flushed_bytes;
  json["evicted_bytes"] = status.evicted_bytes;
  json["flush_failures"] = status.flush_failures;
  json["conflicts"] = status.conflicts;
  json["inodes_in_memory"] = status.inodes_in_memory;
  json["passthrough"] = session.backing.report();
  json["io_uring"] = session.ring.report();
  json["splice"] = splice_report(session);
  for (const TargetInfo& target : cluster.targets()) {
    Json& row = json["targets"].emplace_back();
    row = {{"id", target.id}, {"path", target.path}, {"pool", name_of(target.pool)}};
    row["capacity_bytes"] = target.capacity_bytes;
    row["used_bytes"] = target.used_bytes;
    if (session.in_cluster()) put_state(target, row);
  }
  const auto uptime = std::chrono::steady_clock::now() - session.started;
  json["uptime_s"] = std::chrono::duration_cast<std::chrono::seconds>(uptime).count();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> stat_json(Session& session, InodeId id) {
  ASSIGN_OR_RETURN(const CacheState state, session.meta.cache_state(id));
  Json json;
  json["cached"] = state.cached;
  json["dirty"] = state.dirty;
  json["pinned"] = state.pinned;
  json["transient"] = state.transient;
  json["size"] = state.size;
  json["present_bytes"] = state.present_bytes;
  json["dirty_bytes"] = state.dirty_bytes;
  json["mtime0_ns"] = state.mtime0_ns;
  json["layout"] = {{"chunk_size", state.layout.chunk_size_bytes}, {"targets", state.layout.targets}};
  return json.dump();
}

namespace {

// "auto" is how people write the zeros of a rule.
Json number_or_auto(uint64_t number) { return number == 0 ? Json("auto") : Json(number); }

Result<uint64_t> number_of(const Json& object, const char* key, uint64_t most) {
  const auto found = object.find(key);
  if (found == object.end() || *found == "auto") return uint64_t{0};
  if (!found->is_number_unsigned() || found->get<uint64_t>() == 0 || found->get<uint64_t>() > most) {
    return fail(EINVAL, "{}: {} is neither a number from 1 to {} nor \"auto\"", key, found->dump(), most);
  }
  return found->get<uint64_t>();
}

Result<std::string> layout_json(Session& session, InodeId id) {
  ASSIGN_OR_RETURN(const AttributesReply found, session.meta.getattr(id));
  if (!S_ISDIR(found.attributes.mode)) {
    ASSIGN_OR_RETURN(const CacheState state, session.meta.cache_state(id));
    return Json{{"chunk_size", state.layout.chunk_size_bytes}, {"targets", state.layout.targets}}.dump();
  }
  ASSIGN_OR_RETURN(const LayoutRule rule, session.meta.layout_rule(id));
  return Json{{"count", number_or_auto(rule.count)}, {"chunk_size", number_or_auto(rule.chunk_size_bytes)}}.dump();
}

}  // namespace

Status set_layout(Session& session, InodeId id, std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(EINVAL, "a layout is a JSON object with count and chunk_size");
  ASSIGN_OR_RETURN(const uint64_t count, number_of(json, "count", kMostStripes));
  ASSIGN_OR_RETURN(const uint64_t chunk_size, number_of(json, "chunk_size", kMostChunkBytes));
  return session.meta.set_layout_rule(id, LayoutRule{static_cast<uint32_t>(count), chunk_size});
}

Result<std::string> virtual_xattr(Session& session, InodeId id, const std::string& name) {
  if (name == kXattrStatus) return status_json(session);
  if (name == kXattrStat) return stat_json(session, id);
  if (name == kXattrLayout) return layout_json(session, id);
  const std::string key = name.substr(sizeof(kXattrPrefix) - 1);
  ASSIGN_OR_RETURN(const CacheState state, session.meta.cache_state(id));
  if (key == "cached") return std::string(state.cached ? "1" : "0");
  if (key == "dirty") return std::string(state.dirty ? "1" : "0");
  if (key == "pinned") return std::string(state.pinned ? "1" : "0");
  if (key == "transient") return std::string(state.transient ? "1" : "0");
  if (key == "size") return std::to_string(state.size);
  if (key == "present_bytes") return std::to_string(state.present_bytes);
  if (key == "dirty_bytes") return std::to_string(state.dirty_bytes);
  if (key == "mtime0_ns") return std::to_string(state.mtime0_ns);
  if (key == "chunk_size") return std::to_string(state.layout.chunk_size_bytes);
  if (key == "targets") return fmt::format("{}", fmt::join(state.layout.targets, ","));
  return fail(ENODATA);
}

}  // namespace forebay::cachefs
