// Conflicts: a flush finds that the outside has changed the file since it was cached.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/config.h"

namespace forebay::consistency {

// What a flush does about it (design, "Fetch and flush").
enum class Settlement {
  kOverwrite,           // cache-wins: ours replaces theirs
  kRevert,              // external-wins: ours is dropped
  kKeepBothThenRevert,  // keep-both: ours goes beside it under another name, theirs stays
};

Settlement settle(ConflictRule rule);

// NAME.forebay-conflict-TIMESTAMP, cut so that it stays a valid name of at most 255 bytes. `attempt` > 0 adds a
// number, for when that name is taken.
std::string conflict_name(std::string_view name, std::chrono::system_clock::time_point now, int attempt);

}  // namespace forebay::consistency
