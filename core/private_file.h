// Files whose content is for their owner alone: keys and secrets.
#pragma once

#include <string>

#include "core/result.h"

namespace forebay {

// The whole content; at most `most_bytes` of it. `what` it is begins each message. EINVAL: others may read or change
// it; errors of open(2).
Result<std::string> read_private_file(const std::string& what, const std::string& path, size_t most_bytes);

}  // namespace forebay
