// in_parallel: the same work for several servers at a time, for requests that are rare or long. Reads and writes have
// another way (StorageService::begin_read), because a thread for each would cost more than they do.
#pragma once

#include <cstddef>
#include <thread>
#include <vector>

#include "core/processor.h"
#include "core/transport/call.h"

namespace forebay {

// work(0) ... work(count - 1), the first of them in this thread; all have ended when this returns.
template <typename Work>
void in_parallel(size_t count, const Work& work) {
  std::vector<std::jthread> helpers;
  helpers.reserve(count);
  for (size_t i = 1; i < count; ++i) {
    helpers.emplace_back([&work, i, level = transport::request_level()] {
      leave_processor();
      const transport::LevelScope scope(level);
      work(i);
    });
  }
  if (count > 0) work(0);
}

}  // namespace forebay
