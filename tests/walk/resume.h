// After the subject is back: what became of the operations that were under way when its daemon died.
#pragma once

#include <memory>
#include <vector>

#include "options.h"
#include "state_file.h"
#include "walker.h"

namespace forebay::walk {

enum class Settled {
  kAll,
  kLost,  // acknowledged work is lost, or something is there that nobody did; has been reported
  kDied,  // the daemon died again; `saved` says what is still open
};

// Settles each thread's last operation, then compares everything.
Settled settle_death(SavedWalk& saved, std::vector<std::unique_ptr<Walker>>& walkers, const Options& options);

}  // namespace forebay::walk
