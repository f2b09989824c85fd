// CallbackRouter: what a storage server tells the metadata servers and asks them: each inode's goes to its owner.
#pragma once

#include "core/cluster/peers.h"
#include "core/protocol/meta_service.h"

namespace forebay {

class CallbackRouter final : public MetaCallbacks {
 public:
  // `peers` outlives this.
  explicit CallbackRouter(Peers& peers, const Membership& membership) : peers_(peers), membership_(membership) {}

  Status mark_dirty(InodeId id, bool leased) override;
  void data_changed(InodeId id) override;
  void lease_settled(InodeId id) override;
  Status after_write(InodeId id) override;
  Result<Validator> revalidate(InodeId id) override;
  void copy_replaced(InodeId id) override;
  Result<ExternalRef> locate(InodeId id) override;
  void report_complete(InodeId id) override;
  // Of all metadata servers, because each knows of the files that are its own.
  Status make_room(TargetId target, uint64_t bytes) override;

 private:
  Peers& peers_;
  const Membership& membership_;
};

}  // namespace forebay
