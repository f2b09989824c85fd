// The commands' side of cachefs/control.h: what is asked of a mount, and how its answers are read.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "cachefs/control.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::cli {

// Opens a regular file or a directory of a mount for control requests. EINVAL when it is neither; errno of lstat, open.
Result<UniqueFd> open_for_control(const std::string& path);

// Told after each call what is left; false stops.
using Watcher = std::function<bool(const cachefs::ControlRequest& left)>;

// Asks for `action` on an open descriptor until nothing is left. `path` is only for messages. The error of what failed;
// EINTR when the watcher stopped it.
Status run_control(int fd, const std::string& path, cachefs::ControlAction action, const Watcher& watch);

// One control request, without waiting. Errno of the ioctl.
Status send_control(int fd, const std::string& path, cachefs::ControlAction action, uint32_t flags);

// What an extended attribute of the mount (kXattrStat, kXattrStatus) says. EINVAL for what is neither a regular file
// nor a directory; ENOTTY outside of a mount; ENOTCONN when the mount's process is gone; EPROTO for what is no JSON
// object.
Result<nlohmann::ordered_json> read_facts(const std::string& path, const char* attribute);

// The same for a path that is known to lie in a mount. Errno of lgetxattr(2), EPROTO.
Result<nlohmann::ordered_json> read_facts_inside(const std::string& path, const char* attribute);

// The number at `key`; 0 when there is none.
uint64_t fact_number(const nlohmann::ordered_json& facts, const char* key);

// Whether `key` is there and true.
bool fact_flag(const nlohmann::ordered_json& facts, const char* key);

}  // namespace forebay::cli
