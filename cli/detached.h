// Running something as a daemon, while the caller learns whether it came up.
#pragma once

#include <functional>

#include "core/result.h"

namespace forebay::cli {

// Told `ready` once it works, which returns; ends with what it ended with.
using Service = std::function<Status(const std::function<void()>& ready)>;

// Runs `service` in a child process: a session of its own, in "/", without the caller's descriptors and, once it is
// ready, terminal. Must be called before there are threads. Returns in both processes, with their exit status.
// In the caller: 0 when the service is ready; otherwise its error was printed. An interrupt ends the child.
// In the child, when the service has ended: an error after it was ready is in the log.
int run_detached(const Service& service);

}  // namespace forebay::cli
