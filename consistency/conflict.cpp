#include "consistency/conflict.h"

#include <fmt/chrono.h>

namespace forebay::consistency {

Settlement settle(ConflictRule rule) {
  switch (rule) {
    case ConflictRule::kCacheWins:
      return Settlement::kOverwrite;
    case ConflictRule::kExternalWins:
      return Settlement::kRevert;
    case ConflictRule::kKeepBoth:
      break;
  }
  return Settlement::kKeepBothThenRevert;
}

std::string conflict_name(std::string_view name, std::chrono::system_clock::time_point now, int attempt) {
  constexpr size_t kMostBytes = 255;
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::string suffix = fmt::format(".forebay-conflict-{:%Y%m%dT%H%M%S}.{:03}Z",
                                   fmt::gmtime(std::chrono::system_clock::to_time_t(now)), milliseconds);
  if (attempt > 0) suffix += fmt::format("-{}", attempt);
  return std::string(name.substr(0, kMostBytes - suffix.size())) + suffix;
}

}  // namespace forebay::consistency
