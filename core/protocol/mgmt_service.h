// MgmtService: who is in the cluster, in what state. In one process: the targets and how full they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace forebay {

// As in BeeGFS: new files avoid targets that are low, and take none that is in emergency.
enum class CapacityPool { kNormal, kLow, kEmergency };

struct TargetInfo {
  uint32_t id = 0;
  std::string path;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  CapacityPool pool = CapacityPool::kNormal;
};

class MgmtService {
 public:
  virtual ~MgmtService() = default;

  // EEXIST when the id is taken.
  virtual Status register_target(const TargetInfo& target) = 0;
  // ENOENT when the id is unknown.
  virtual Status report_capacity(uint32_t target, uint64_t capacity_bytes, uint64_t used_bytes) = 0;
  virtual std::vector<TargetInfo> targets() = 0;
};

}  // namespace forebay
