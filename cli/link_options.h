// --link and --transient, of `mount` and of `cluster start`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/links.h"
#include "core/result.h"

namespace forebay::cli {

void add_link_options(CLI::App& command, std::vector<std::string>& links, std::vector<std::string>& transients);

// Adds what was given to what the configuration says already. EINVAL.
Status add_links(const std::vector<std::string>& links, const std::vector<std::string>& transients, Config& config);

// What was given alone.
Result<std::vector<Link>> parse_link_options(const std::vector<std::string>& links,
                                             const std::vector<std::string>& transients);

// As the configuration has them.
Config::Links links_config(const std::vector<Link>& links);

}  // namespace forebay::cli
