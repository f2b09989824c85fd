// What a file system tells of writes to a file, as far as write leases depend on it.
#pragma once

#include <string>

#include "core/result.h"

namespace forebay::storage {

// Tries it out on a file that is made in `directory` and removed again. ENOTSUP with the reason when a change can stay
// unseen: two changes with a look between them have one mtime, a store into a mapping of a clean page sets none, or
// nothing tells that a mapping is left. Otherwise errors of the file system.
Status probe_leases(const std::string& directory);

}  // namespace forebay::storage
