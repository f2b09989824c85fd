// mgmtd: who is in the cluster, in what state.
#pragma once

#include <functional>

#include "core/config.h"

namespace forebay::mgmt {

// Serves until a signal ends it. `ready` is called once, when it answers. Errors before that name what is wrong.
Status run_daemon(const Config& config, const std::function<void()>& ready);

}  // namespace forebay::mgmt
