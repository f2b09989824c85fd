// Running many programs side by side, and looking at what each of them said.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace forebay::cli {

struct Invocation {
  std::vector<std::string> words;  // the first is looked up in $PATH
  std::string input;               // for its stdin
};

struct Outcome {
  int exit_status = -1;  // or 128 + the number of the signal that ended it; 127 when it could not be started
  bool timed_out = false;
  bool interrupted = false;
  std::string out;
  std::string err;

  bool ok() const { return exit_status == 0 && !timed_out && !interrupted; }
};

struct RunLimits {
  std::optional<std::chrono::seconds> deadline;  // for each program; nothing: as long as it takes
  bool interruptible = false;                    // whether interrupted() ends them
};

// Runs all of them, some dozens at a time, and returns their outcomes in the same order. One counts as ended when its
// process has ended, though others may hold its output open.
std::vector<Outcome> run_many(const std::vector<Invocation>& invocations, const RunLimits& limits);

}  // namespace forebay::cli
