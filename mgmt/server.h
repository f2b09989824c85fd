// MgmtServer: the one implementation of MgmtService, in memory: one process knows its targets.
#pragma once

#include <map>
#include <mutex>

#include "core/protocol/mgmt_service.h"

namespace forebay::mgmt {

class MgmtServer final : public MgmtService {
 public:
  Status register_target(const TargetInfo& target) override;
  Status report_capacity(uint32_t target, uint64_t capacity_bytes, uint64_t used_bytes) override;
  std::vector<TargetInfo> targets() override;

 private:
  std::mutex mutex_;
  std::map<uint32_t, TargetInfo> targets_;
};

}  // namespace forebay::mgmt
