// Where the cache of a mount lies, and whether it can lie there.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace forebay::cachefs {

// The place for those who name none: NAME-HASH below /var/cache/forebay for root, below $XDG_CACHE_HOME/forebay or
// ~/.cache/forebay for others. NAME is the last component of the external directory, HASH tells apart those of one
// name. `external` is absolute. ENOENT when there is no home directory.
Result<std::string> default_cache_directory(const std::string& external);

// The absolute path without links of a directory that need not exist. Its parent must, unless `make_parents`: a
// mistyped path shall not fill the disk that happens to hold it. Errno of realpath(3).
Result<std::string> resolve_cache_directory(const std::string& directory, bool make_parents);

// Whether the caller could use or make it, and there is room for a new one. Changes nothing. ENOTDIR, EACCES, EROFS,
// ENOSPC.
Status check_cache_directory(const std::string& directory);

// Makes it, with missing parents, all for their owner alone. Returns those that were missing, the outermost first.
// Errno of mkdir(2).
Result<std::vector<std::string>> make_cache_directory(const std::string& directory);

}  // namespace forebay::cachefs
