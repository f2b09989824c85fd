// MgmtService: who is in the cluster, in what state. In one process: the target and how full it is.
//
// State is pulled: servers report with a heartbeat, and everybody asks for the whole picture now and then.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/links.h"
#include "core/protocol/types.h"
#include "core/result.h"

namespace forebay {

// As in BeeGFS: new files avoid targets that are low, and take none that is in emergency.
enum class CapacityPool { kNormal, kLow, kEmergency };

// Whether a server's heartbeats come. Probably offline: one or two are missing; nothing is decided yet.
enum class Reachability { kOnline, kProbablyOffline, kOffline };

// Whether what is on a target is what should be there.
enum class Consistency { kGood, kNeedsResync, kResyncing, kBad };

struct TargetInfo {
  TargetId id = 0;
  std::string path;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  CapacityPool pool = CapacityPool::kNormal;
  std::string node;
  std::string identity;  // of its own, written on it; by that it is known again
  Reachability reachability = Reachability::kOnline;
  Consistency consistency = Consistency::kGood;
  bool draining = false;  // takes no new files, and is to be emptied
  uint64_t run = 0;       // of its server: another one after each start
};

// All of a cluster. One that was given out does not change any more.
using TargetList = std::shared_ptr<const std::vector<TargetInfo>>;

// A server other than mgmtd itself.
struct ServerInfo {
  enum class Role { kMeta, kStorage };
  Role role = Role::kStorage;
  std::string node;
  std::string identity;                // of its own, as for targets
  std::vector<std::string> addresses;  // where it listens; transport::parse_address() takes them
  uint32_t number = 0;                 // of a metadata server; 0 owns the root
  Reachability reachability = Reachability::kOnline;
  std::vector<TargetInfo> targets;  // of a storage server
  // Of its node, when it reported; 0: not told.
  std::chrono::sys_seconds clock{};
};

// A request may travel through all that it concerns, and a client keeps a question open at each.
constexpr uint32_t kMostMetads = 64;

struct ClusterInfo {
  std::string cluster;   // the id that it got when mgmtd started for the first time
  std::string external;  // the external directory
  std::vector<Link> links;
  uint32_t metads = 1;  // how many metadata servers share the tree, those that are not there now among them
  std::vector<ServerInfo> servers;
  std::chrono::seconds age{0};  // since mgmtd said so

  std::vector<TargetInfo> targets() const {
    std::vector<TargetInfo> all;
    for (const ServerInfo& server : servers) all.insert(all.end(), server.targets.begin(), server.targets.end());
    return all;
  }
};

class MgmtService {
 public:
  virtual ~MgmtService() = default;

  // --- by servers
  // A server is there, at its start and again with each heartbeat: takes its addresses, and its targets with what is
  // used of them. Returns the same with the numbers that mgmtd gave (of the metadata server, of the targets): one that
  // is known by its identity keeps them. EEXIST: another target has that number; EXDEV: it is of another cluster;
  // EINVAL: what it says of itself makes no sense; ENOSPC: there are too many.
  virtual Result<ServerInfo> report(const ServerInfo& server) = 0;

  // --- by everybody
  virtual Result<ClusterInfo> cluster() = 0;
  // A target is to be emptied, or no more. ENOENT when there is no such target.
  virtual Status drain(TargetId target, bool draining) = 0;

  std::vector<TargetInfo> targets() {
    const Result<ClusterInfo> info = cluster();
    return info ? info->targets() : std::vector<TargetInfo>();
  }
};

}  // namespace forebay
