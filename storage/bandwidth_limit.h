// BandwidthLimit: so many bytes per second, for all threads together.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace forebay::storage {

class BandwidthLimit {
 public:
  // 0: no limit.
  explicit BandwidthLimit(uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  // Sleeps until `bytes` more may go. Callers come in turn, each waiting for what went before; what was not used in the
  // past is lost. Thread safe.
  void take(uint64_t bytes);

 private:
  const uint64_t bytes_per_second_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_{};  // when all that was taken so far has gone
};

}  // namespace forebay::storage
