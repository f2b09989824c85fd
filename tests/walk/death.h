// The walk at the moment when the subject's daemon died, in a form that survives the walk itself.
#pragma once

#include <memory>
#include <vector>

#include "state_file.h"
#include "walker.h"

namespace forebay::walk {

SavedWalk collect_state(std::vector<std::unique_ptr<Walker>>& walkers);

}  // namespace forebay::walk
