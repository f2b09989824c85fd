// What prefetch, flush, evict, pin and unpin have in common: requests for many paths, several at a time, with progress.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cachefs/control.h"
#include "cli/commands/commands.h"

namespace forebay::cli {

struct PathCommand {
  std::string name;
  std::string description;
  std::string example;
  // Asked for each object, in this order.
  std::vector<cachefs::ControlAction> steps;
  // Whether the mount does a whole directory in one request; otherwise the command walks it and asks for each file.
  bool whole_directories = false;
  // Whether pages that the kernel has not written yet must be in the cache first.
  bool settles = false;
  // Whether there is nothing to do for files of which the cache has nothing.
  bool only_present = false;
};

// Declares `forebay NAME PATH... [-r]`.
void add_path_command(CLI::App& app, Action& action, const PathCommand& command);

// Does it; returns the exit status. Failures are printed, one line for each path.
int run_path_command(const PathCommand& command, const std::vector<std::string>& paths);

}  // namespace forebay::cli
