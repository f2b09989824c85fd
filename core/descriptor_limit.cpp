#include "core/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace forebay {

void raise_descriptor_limit() {
  constexpr rlim_t kWanted = 1 << 20;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlimit raised = {std::max(limit.rlim_cur, kWanted), std::max(limit.rlim_max, kWanted)};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace forebay
