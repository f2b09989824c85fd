// What is done on each node of a cluster, at the command of the launcher: a request comes as JSON in one argument, the
// answer goes to stdout as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/result.h"

namespace forebay::cli {

// Requests, by "do"; all with "directory":
//   look     "mountpoint" ["external"] ["token": a path]: what is there, changing nothing. Answers "clock" (seconds),
//            "daemons" (the roles that run), "mount" ("none", "ours", "dead", "foreign"), and as far as they are there
//            "config", "secret", "token" (contents) or "token_error".
//   prepare  "sockets" "mountpoint" "config" "made" (directories): makes directories and files. `input` is the secret.
//            Answers "made_mountpoint".
//   end      "role" "kill": ends the daemon. With "kill" also one that has not written its number, and by force.
//   remove   "mountpoint": removes it, if it is empty.
//   purge    "sockets": removes the directory with all that is in it.
// EINVAL with one line for all that fails.
Result<nlohmann::json> serve_on_node(const nlohmann::json& request, const std::string& input);

}  // namespace forebay::cli
