// A whole run: set-up, threads, the comparison at the end.
#pragma once

#include <memory>
#include <vector>

#include "control.h"
#include "options.h"
#include "walker.h"

namespace forebay::walk {

inline constexpr int kExitAgreed = 0;
inline constexpr int kExitDisagreed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitDied = 3;

// Runs a fresh walk or a resumed one; returns the exit status.
int run_session(Options options);

// Compares two trees and lists the differences.
int compare_trees(const Options& options, const std::string& first, const std::string& second);

}  // namespace forebay::walk
