#include "storage/bandwidth_limit.h"

#include <algorithm>
#include <thread>

namespace forebay::storage {

void BandwidthLimit::take(uint64_t bytes) {
  if (bytes_per_second_ == 0) return;
  using Clock = std::chrono::steady_clock;
  const std::chrono::duration<double> cost(static_cast<double>(bytes) / static_cast<double>(bytes_per_second_));
  Clock::time_point begin;
  {
    const std::lock_guard lock(mutex_);
    begin = std::max(next_, Clock::now());
    next_ = begin + std::chrono::duration_cast<Clock::duration>(cost);
  }
  std::this_thread::sleep_until(begin);
}

}  // namespace forebay::storage
