// What the configuration says about a target.
#pragma once

#include <string>

#include "core/config.h"
#include "storage/server.h"

namespace forebay::storage {

// `directory`: lies on the target's disk, and exists. Errors of that, with its path.
Result<StorageServer::Options> server_options(const Config& config, const std::string& directory);

}  // namespace forebay::storage
