// One log for the process, a logger for each module, through spdlog. No file content and no secret ever goes in.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "core/result.h"

namespace forebay {

enum class Module { kCore, kMeta, kStorage, kConsistency, kEvictor, kCachefs, kMgmt, kCli };

// Where lines go: "journal", "stderr", or the path of a file that is appended to. `level` is a spdlog level name, or a
// list with levels for single modules ("info,storage=debug,meta=trace"). EINVAL for an unknown level or module; the
// errno of the open when a file can't be written. Call once, before threads start.
Status start_log(const std::string& target, const std::string& level);

// Checks `level` as start_log() would, and changes nothing. EINVAL.
Status check_log_level(const std::string& level);

// The module's logger; a stderr logger at level "warn" before start_log(). Thread safe.
spdlog::logger& log(Module module);

}  // namespace forebay
