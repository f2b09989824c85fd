// The `forebay` command.
#pragma once

namespace forebay::cli {

// Runs one command line and returns the exit status: 0 when all of it was done, 1 when something failed, 2 when the
// command line itself is wrong, 130 when it was interrupted. Failures are one line each on stderr.
int run(int argc, char** argv);

}  // namespace forebay::cli
