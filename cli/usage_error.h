// From CLI11's errors to ours.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace forebay::cli {

// One line about a command line that `app` could not parse: it names the word that is wrong and where help is.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace forebay::cli
