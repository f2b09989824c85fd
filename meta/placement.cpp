#include "meta/placement.h"

#include <algorithm>

namespace forebay::meta {
namespace {

// How little a target is wanted, the best first. New files avoid targets that are low on space, and take none that is
// almost full while there are others (as in BeeGFS); and one that cannot be reached is no use.
int reluctance(const TargetInfo& target, const std::string& node) {
  const int pool = static_cast<int>(target.pool) * 2;
  return pool + (target.node == node ? 0 : 1);
}

bool takes_files(const TargetInfo& target) {
  return target.reachability == Reachability::kOnline && target.consistency == Consistency::kGood && !target.draining;
}

}  // namespace

Placement::Placement(const Config& config, std::function<std::vector<TargetInfo>()> targets)
    : targets_(std::move(targets)),
      plain_(std::make_shared<const Layout>(Layout{config.cache.chunk_size_bytes, {0}})) {}

Result<std::shared_ptr<const Layout>> Placement::place(const std::string& node) {
  if (!targets_) return plain_;
  std::vector<TargetInfo> targets = targets_();
  std::erase_if(targets, [](const TargetInfo& target) { return !takes_files(target); });
  if (targets.empty()) return fail(ENXIO, "no target is online that takes files");
  int best = INT32_MAX;
  for (const TargetInfo& target : targets) best = std::min(best, reluctance(target, node));
  std::erase_if(targets, [&](const TargetInfo& target) { return reluctance(target, node) > best; });
  const TargetInfo& chosen = targets[turn_++ % targets.size()];
  return std::make_shared<const Layout>(Layout{plain_->chunk_size_bytes, {chosen.id}});
}

}  // namespace forebay::meta
