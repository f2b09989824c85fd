#include "meta/placement.h"

#include <algorithm>
#include <bit>

#include "core/layout.h"

namespace forebay::meta {
namespace {

using Candidates = std::vector<const TargetInfo*>;

// How little a target is wanted, the best first. New files avoid targets that are low on space, and take none that is
// almost full while there are others (as in BeeGFS).
int reluctance(const TargetInfo& target, const std::string& node) {
  const int pool = static_cast<int>(target.pool) * 2;
  return pool + (target.node == node ? 0 : 1);
}

// Those that take files and are in that state, beginning with another one each time.
Candidates candidates(const std::vector<TargetInfo>& targets, Reachability state, uint64_t turn) {
  Candidates found;
  for (size_t i = 0; i < targets.size(); ++i) {
    const TargetInfo& target = targets[(turn + i) % targets.size()];
    const bool takes_files = target.consistency == Consistency::kGood && !target.draining;
    if (takes_files && target.reachability == state) found.push_back(&target);
  }
  return found;
}

}  // namespace

Placement::Placement(const Config& config, std::function<TargetList()> targets)
    : stripe_(config.stripe),
      targets_(std::move(targets)),
      plain_(std::make_shared<const Layout>(Layout{config.cache.chunk_size_bytes, {0}})) {}

std::vector<TargetId> Placement::draining() const {
  std::vector<TargetId> ids;
  if (!targets_) return ids;
  const TargetList all = targets_();
  for (const TargetInfo& target : *all) {
    if (target.draining) ids.push_back(target.id);
  }
  return ids;
}

uint32_t Placement::absent_targets() const {
  if (!targets_) return 0;
  const TargetList all = targets_();
  return static_cast<uint32_t>(std::count_if(all->begin(), all->end(), [](const TargetInfo& target) {
    return target.reachability != Reachability::kOnline && !target.draining;
  }));
}

uint64_t Placement::run_on(const std::string& node, const Layout& layout) const {
  if (!targets_ || layout.targets.size() != 1) return 0;
  const TargetList all = targets_();
  for (const TargetInfo& target : *all) {
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
  const TargetList all = targets_();
  const uint64_t turn = turn_++;
  Candidates targets = candidates(*all, Reachability::kOnline, turn);
  // A server that is started again is back soon, and requests wait for it.
  if (targets.empty()) targets = candidates(*all, Reachability::kProbablyOffline, turn);
  if (targets.empty()) return fail(ENXIO, "no target is online that takes files");

  size_t count = rule.count != 0 ? rule.count : stripe_.count;
  if (count == 0) count = size_bytes > stripe_.threshold_bytes ? kMostStripes : 1;
  count = std::min({count, targets.size(), kMostStripes});
  // The best, and among those that are as good each in its turn.
  const auto is_better = [&](const TargetInfo* one, const TargetInfo* other) {
    return reluctance(*one, node) < reluctance(*other, node);
  };
  if (count == 1) {
    std::iter_swap(targets.begin(), std::min_element(targets.begin(), targets.end(), is_better));
  } else {
    std::stable_sort(targets.begin(), targets.end(), is_better);
  }
  Layout layout{rule.chunk_size_bytes != 0 ? rule.chunk_size_bytes : chunk_size_for(count), {}};
  for (size_t i = 0; i < count; ++i) layout.targets.push_back(targets[i]->id);
  return std::make_shared<const Layout>(std::move(layout));
}

}  // namespace forebay::meta
