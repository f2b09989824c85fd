#include "meta/placement.h"

#include <algorithm>
#include <bit>

#include "core/layout.h"

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
    : stripe_(config.stripe),
      targets_(std::move(targets)),
      plain_(std::make_shared<const Layout>(Layout{config.cache.chunk_size_bytes, {0}})) {}

std::vector<TargetId> Placement::draining() const {
  std::vector<TargetId> ids;
  if (!targets_) return ids;
  for (const TargetInfo& target : targets_()) {
    if (target.draining) ids.push_back(target.id);
  }
  return ids;
}

uint64_t Placement::run_on(const std::string& node, const Layout& layout) const {
  if (!targets_ || layout.targets.size() != 1) return 0;
  for (const TargetInfo& target : targets_()) {
    if (target.id == layout.targets.front()) return target.node == node ? target.run : 0;
  }
  return 0;
}

uint64_t Placement::chunk_size_for(size_t targets) const {
  constexpr uint64_t kRequestBytes = 1 << 20;
  if (targets == 1) return plain_->chunk_size_bytes;
  return std::clamp(std::bit_floor(kRequestBytes / targets), kLeastChunkBytes, plain_->chunk_size_bytes);
}

Result<std::shared_ptr<const Layout>> Placement::place(const std::string& node, LayoutRule rule, uint64_t size_bytes) {
  if (!targets_) return plain_;
  std::vector<TargetInfo> targets = targets_();
  std::erase_if(targets, [](const TargetInfo& target) { return !takes_files(target); });
  if (targets.empty()) return fail(ENXIO, "no target is online that takes files");

  size_t count = rule.count != 0 ? rule.count : stripe_.count;
  if (count == 0) count = size_bytes > stripe_.threshold_bytes ? kMostStripes : 1;
  count = std::min({count, targets.size(), kMostStripes});
  // The best, and among those that are as good each in its turn.
  std::rotate(targets.begin(), targets.begin() + static_cast<ptrdiff_t>(turn_++ % targets.size()), targets.end());
  std::stable_sort(targets.begin(), targets.end(), [&](const TargetInfo& one, const TargetInfo& other) {
    return reluctance(one, node) < reluctance(other, node);
  });
  Layout layout{rule.chunk_size_bytes != 0 ? rule.chunk_size_bytes : chunk_size_for(count), {}};
  for (size_t i = 0; i < count; ++i) layout.targets.push_back(targets[i].id);
  return std::make_shared<const Layout>(std::move(layout));
}

}  // namespace forebay::meta
