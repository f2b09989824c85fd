// Knobs: how slow, how narrow and how broken the file system is, changed while it runs.
//
// They are extended attributes of the root of the mount:
//
//   user.slowfs.latency_us   each operation takes this many microseconds longer; they overlap, as on a network
//   user.slowfs.bandwidth    bytes per second that all reads and writes share; 0: no limit
//   user.slowfs.fail         "write=EIO:3,open=ESTALE,*=ENOTCONN": the next 3 writes, every open, everything else
//   user.slowfs.hang         "read,fsync" or "*": these wait until the attribute is set to something else
//   user.slowfs.count        read only: "open=12 read=40": operations since it was last read
//
// A look at the root itself neither fails nor hangs, so that the knobs stay within reach.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace forebay::slowfs {

class Knobs {
 public:
  static constexpr std::string_view kPrefix = "user.slowfs.";

  // An operation begins: waits as long as it must. Returns the errno that it shall fail with, or 0. Thread safe.
  int enter(const char* operation);
  // Waits until `bytes` have gone through the shared bandwidth. Thread safe.
  void transfer(uint64_t bytes);

  // `name` is without the prefix. EINVAL when the value makes no sense, ENODATA when there is no such knob.
  int set(std::string_view name, std::string_view value);
  int get(std::string_view name, std::string* value);

  // Everything that hangs goes on, for good.
  void end();

 private:
  struct Failure {
    int code = 0;
    int64_t left = -1;  // how often still; negative: for ever
  };

  int set_failures(const std::string& value);
  bool hangs(const char* operation) const;
  int failure_of(const char* operation);
  std::string take_counts();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::chrono::microseconds latency_{0};
  uint64_t bandwidth_ = 0;  // bytes per second
  std::chrono::steady_clock::time_point free_at_{};
  std::map<std::string, Failure> failures_;
  std::set<std::string> hanging_;
  std::string fail_text_, hang_text_;
  std::map<std::string, uint64_t> counts_;
  bool ended_ = false;
};

// The one of this process.
Knobs& knobs();

}  // namespace forebay::slowfs
