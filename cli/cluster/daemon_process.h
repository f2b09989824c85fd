// The processes of a node's daemons: found, and ended, by those who did not start them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::cli {

// A process that certainly is the daemon: its number may be another's later, the descriptor is not.
struct DaemonProcess {
  pid_t pid = 0;
  UniqueFd process;
};

// Whether a command line is that of `forebay ROLE ... CONFIG_FILE`, perhaps run by an interpreter.
bool is_daemon(const std::vector<std::string>& words, std::string_view role, const std::string& config_file);

// The daemon whose number is in DIRECTORY/ROLE.pid; nothing when there is no such file or it is stale.
std::optional<DaemonProcess> find_daemon(const std::string& directory, std::string_view role);

// Every process that runs `forebay ROLE` with this node's configuration, also before it wrote its number.
std::vector<DaemonProcess> find_all_daemons(const std::string& directory, std::string_view role);

// SIGTERM, and its end awaited. ETIMEDOUT when it has not ended after `limit`; with `kill`, SIGKILL instead.
Status end_daemon(const DaemonProcess& daemon, std::string_view role, std::chrono::seconds limit, bool kill);

}  // namespace forebay::cli
