#include "mgmt/server.h"

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

}  // namespace

Status MgmtServer::register_target(const TargetInfo& target) {
  const std::lock_guard lock(mutex_);
  if (!targets_.emplace(target.id, target).second) return fail(EEXIST, "target {}: is registered already", target.id);
  return {};
}

Status MgmtServer::report_capacity(uint32_t target, uint64_t capacity_bytes, uint64_t used_bytes) {
  const std::lock_guard lock(mutex_);
  const auto it = targets_.find(target);
  if (it == targets_.end()) return fail(ENOENT, "target {}: is not registered", target);
  it->second.capacity_bytes = capacity_bytes;
  it->second.used_bytes = used_bytes;
  it->second.pool = pool_of(capacity_bytes, used_bytes);
  return {};
}

std::vector<TargetInfo> MgmtServer::targets() {
  const std::lock_guard lock(mutex_);
  std::vector<TargetInfo> list;
  for (const auto& [id, target] : targets_) list.push_back(target);
  return list;
}

}  // namespace forebay::mgmt
