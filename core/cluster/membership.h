// Membership: one process in the cluster: what it knows of the others, asked from mgmtd every second; and, of a server,
// its heartbeat.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/protocol/mgmt_service.h"

namespace forebay {

class Membership {
 public:
  // `mgmt` outlives this.
  explicit Membership(MgmtService& mgmt) : mgmt_(mgmt) {}
  ~Membership() { stop(); }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // Reports the server, with the state that `self` tells, now and every second. Returns what it was reported as, with
  // its numbers. Errors of MgmtService::report(). Before start().
  Result<ServerInfo> join(std::function<ServerInfo()> self);
  // Asks for the others, now and every second from now on.
  Status start();
  void stop();

  // Asks now: for who misses somebody that may have come since.
  Status refresh() { return ask(); }

  // As of the last time that mgmtd answered; never null after start(). Thread safe.
  std::shared_ptr<const ClusterInfo> cluster() const;
  // How long ago that was.
  std::chrono::seconds age() const;
  // All targets in it. Never null either.
  TargetList targets() const;
  // Of those that answer.
  std::vector<TargetId> online_targets() const;

 private:
  void run();
  Result<ServerInfo> report();
  Status ask();

  MgmtService& mgmt_;
  std::function<ServerInfo()> self_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::shared_ptr<const ClusterInfo> cluster_;
  TargetList targets_;                              // of cluster_
  std::chrono::steady_clock::time_point asked_at_;  // for cluster_
  std::thread thread_;
};

}  // namespace forebay
