// Completion scripts for shells, made from the commands as they are declared.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "core/result.h"

namespace forebay::cli {

// The script for "bash", "zsh" or "fish". EINVAL for any other shell.
Result<std::string> completion_script(const CLI::App& app, const std::string& shell);

}  // namespace forebay::cli
