// MgmtServer: the one implementation of MgmtService. Numbers that were given once are kept in a file, if there is one;
// what is told by heartbeats is in memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "core/protocol/mgmt_service.h"
#include "mgmt/store.h"

namespace forebay::mgmt {

class MgmtServer final : public MgmtService {
 public:
  using Clock = std::chrono::steady_clock;
  // Heartbeats come every second: after kProbablyOffline several are missing.
  static constexpr std::chrono::seconds kProbablyOffline{4}, kOffline{30};

  // Times of files are taken from the clock of whatever node changes them.
  static constexpr std::chrono::seconds kMostClockSkew{60};

  // Known at a time, and ever numbered: a number of a metadata server has 16 bits (kOwnerShift).
  static constexpr size_t kMostServers = 4096, kMostMembers = 16'384;

  struct Options {
    std::string cluster;
    std::string external;
    std::vector<Link> links;
    uint32_t metads = 1;  // and no more
    std::function<Clock::time_point()> now = Clock::now;
    std::function<std::chrono::sys_seconds()> clock = [] {
      return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    };
  };
  // `store`: null in one process, which knows its targets anew each time.
  MgmtServer(Options options, std::unique_ptr<Store> store);
  MgmtServer();
  // Takes up who was there before; until they report they are offline.
  Status load();

  Result<ServerInfo> report(const ServerInfo& server) override;
  Result<ClusterInfo> cluster() override;
  Status drain(TargetId target, bool draining) override;

 private:
  struct Known {
    ServerInfo info;
    Clock::time_point last_seen{};
    bool seen = false;
    bool clock_differs = false;
  };

  Reachability reachability_of(const Known& server) const;
  Status check(const ServerInfo& server) const;
  Status number(ServerInfo& server);
  Result<uint32_t> number_of(Store::Kind kind, const std::string& identity, const std::string& node, uint32_t wanted);
  // Says so when a server's clock is far from ours, and when it is no more.
  void watch_clock(Known& known) const;
  void take_over(const ServerInfo& before, ServerInfo& after) const;

  const Options options_;
  const std::unique_ptr<Store> store_;
  std::mutex mutex_;
  std::map<std::string, Known> servers_;  // by identity
  std::map<std::pair<Store::Kind, std::string>, uint32_t> numbers_;
};

}  // namespace forebay::mgmt
