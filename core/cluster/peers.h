// Peers: the servers of the cluster as services, reached where they listen now.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "core/cluster/membership.h"
#include "core/protocol/meta_peer_service.h"
#include "core/protocol/meta_service.h"
#include "core/protocol/storage_service.h"
#include "core/transport/channel.h"

namespace forebay {

class Peers {
 public:
  // `membership` outlives this.
  Peers(Membership& membership, transport::Party self, transport::Credentials credentials)
      : membership_(membership), self_(std::move(self)), credentials_(std::move(credentials)) {}

  // ENXIO: there is no such target. Thread safe, like all of these.
  Result<std::shared_ptr<StorageService>> storage(TargetId target);
  // The metadata server with that number. ENXIO.
  Result<std::shared_ptr<MetaService>> meta(uint32_t number);
  // The same, as one metadata server asks another.
  Result<std::shared_ptr<MetaPeerService>> meta_peer(uint32_t number);
  // Ends all requests under way and to come.
  void shut_down();

 private:
  using ChannelPtr = std::shared_ptr<transport::Channel>;
  struct Server {
    std::vector<std::string> addresses;
    ChannelPtr channel;
    std::map<TargetId, std::shared_ptr<StorageService>> targets;
    std::shared_ptr<MetaService> meta;
    std::shared_ptr<MetaPeerService> meta_peer;
  };

  // Null: nobody knows of it yet.
  Result<std::shared_ptr<StorageService>> find_storage(TargetId target);
  Result<std::shared_ptr<MetaService>> find_meta(uint32_t number);
  Result<std::shared_ptr<MetaPeerService>> find_meta_peer(uint32_t number);
  // What `find` finds, perhaps only after mgmtd was asked anew.
  template <typename Find>
  auto find_or_ask(Find find, std::string_view what, uint32_t number) -> decltype(find());
  Result<Server*> connect(const ServerInfo& info, uint32_t service);

  Membership& membership_;
  const transport::Party self_;
  const transport::Credentials credentials_;
  std::mutex mutex_;
  bool shut_down_ = false;
  std::map<std::pair<std::string, uint32_t>, Server> servers_;  // by identity and service
};

// Parses them, and puts those first that are best from `node`: a Unix socket on the same node, which others cannot use.
std::vector<transport::Address> reachable_addresses(const ServerInfo& info, const std::string& node);

}  // namespace forebay
