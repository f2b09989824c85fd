// metad: inodes, names, and the state of each cached copy.
#pragma once

#include <functional>

#include "core/config.h"

namespace forebay::meta {

// Serves until a signal ends it. `ready` is called once, when it answers. Errors before that name what is wrong.
Status run_daemon(const Config& config, const std::function<void()>& ready);

}  // namespace forebay::meta
