// RemoteMetaPeer: another metadata server, as this one asks it. Errors of the channel besides those of the service.
#pragma once

#include "core/protocol/meta_peer_service.h"
#include "core/protocol/wire/meta_peer.pb.h"
#include "core/transport/channel.h"

namespace forebay {

class RemoteMetaPeer final : public MetaPeerService {
 public:
  // `channel`: to kMetaPeerServiceNumber; outlives this.
  explicit RemoteMetaPeer(transport::Channel& channel) : stub_(&channel) {}

  Result<ObjectPlaces> where(InodeId id, const Identity& identity, std::chrono::milliseconds limit) override;
  Result<bool> has(const Identity& identity) override;
  Result<uint32_t> find_owner(const Identity& identity) override;
  Result<OwnedObject> named(InodeId directory, const std::string& name) override;
  Status remove_object(const RemoveStep& step) override;
  Status link_object(const LinkStep& step) override;
  Status rename_step(const RenameStep& step) override;

 private:
  wire::MetaPeer_Stub stub_;
};

}  // namespace forebay
