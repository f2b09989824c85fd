// A write that the daemon's death cut short: every byte may be the old or the new one, and nothing else.
#pragma once

#include <string>

#include "op.h"
#include "side.h"
#include "state_file.h"

namespace forebay::walk {

// Looks at what became of the operation in the subject; makes the model the same if that is a permitted mixture.
// `handle` tells where the file of op.slot is. Returns what is wrong, or nothing.
std::string settle_mixture(Side& subject, Side& model, const Op& op, const SavedHandle* handle);

}  // namespace forebay::walk
