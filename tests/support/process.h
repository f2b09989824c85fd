// Running a program as a person would, and looking at everything it leaves.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace forebay::test {

struct ProcessOptions {
  std::chrono::milliseconds timeout{60'000};
  std::vector<std::string> environment;  // "NAME=VALUE", added to the caller's
  std::string directory;                 // to work in; empty: the caller's
  std::optional<uid_t> user;             // run as this user and group, without others; needs root
};

struct ProcessResult {
  int exit_status = -1;  // or 128 + the number of the signal that ended it
  bool timed_out = false;
  std::string out;
  std::string err;

  bool ok() const { return !timed_out && exit_status == 0; }
};

// Runs `words` (the first is looked up in $PATH) until it has ended and its output is closed: a daemon that keeps the
// output open counts as not ended. After the timeout the process group is killed. stdin is empty.
ProcessResult run_process(const std::vector<std::string>& words, const ProcessOptions& options = {});

// For messages of assertions: exit status and what was printed.
std::string describe(const ProcessResult& result);

}  // namespace forebay::test
