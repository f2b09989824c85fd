// When must the outside be asked again? (the paper's lazy polling, 4.2, at most once per attr_ttl and object)
#pragma once

#include <chrono>

#include "core/config.h"

namespace forebay::consistency {

using SteadyTime = std::chrono::steady_clock::time_point;

class FreshnessPolicy {
 public:
  explicit FreshnessPolicy(const Config::Consistency& config)
      : validate_(config.validate),
        ttl_(config.validate == Validate::kTtl ? config.attr_ttl : kNoTime),
        names_ttl_(config.validate == Validate::kAlways ? kNoTime : config.attr_ttl) {}

  // Whether what was seen at `validated_at` must be looked at again now. An unseen object has SteadyTime{}.
  bool due(SteadyTime validated_at, SteadyTime now) const {
    if (validated_at == SteadyTime{}) return true;
    switch (validate_) {
      case Validate::kAlways:
        return true;
      case Validate::kNever:
        return false;
      case Validate::kTtl:
        break;
    }
    return now - validated_at >= ttl_;
  }

  // For how long the kernel may use it without asking: what is left of the time, so that both caches together never
  // use an answer for longer than attr_ttl.
  std::chrono::milliseconds valid_for(SteadyTime validated_at, SteadyTime now) const {
    if (due(validated_at, now)) return kNoTime;
    if (validate_ == Validate::kNever) return kForEver;
    return std::chrono::ceil<std::chrono::milliseconds>(ttl_ - (now - validated_at));
  }

  // For how long it counts which names there are, and that there is none.
  std::chrono::milliseconds names_valid_for() const { return names_ttl_; }

 private:
  static constexpr std::chrono::milliseconds kNoTime{0};
  static constexpr std::chrono::milliseconds kForEver{std::chrono::hours(24)};

  Validate validate_;
  std::chrono::milliseconds ttl_, names_ttl_;
};

}  // namespace forebay::consistency
