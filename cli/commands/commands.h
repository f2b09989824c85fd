// The commands, one file each. add_NAME() declares a command with its options and its help; when the command line chose
// it, `action` becomes what it does, returning the exit status. Both arguments outlive the parsing and the action.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace forebay::cli {

using Action = std::function<int()>;

void add_mount(CLI::App& app, Action& action);
void add_unmount(CLI::App& app, Action& action);
void add_status(CLI::App& app, Action& action);
void add_stat(CLI::App& app, Action& action);
void add_prefetch(CLI::App& app, Action& action);
void add_flush(CLI::App& app, Action& action);
void add_evict(CLI::App& app, Action& action);
void add_pin(CLI::App& app, Action& action);
void add_unpin(CLI::App& app, Action& action);
void add_layout(CLI::App& app, Action& action);
void add_cluster(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_targets(CLI::App& app, Action& action);
void add_completion(CLI::App& app, Action& action);

// The daemons of a cluster: mgmtd, metad, storaged.
void add_daemons(CLI::App& app, Action& action);

}  // namespace forebay::cli
