// FileTime: a file's timestamp with nanoseconds, over the whole range that a file system can hold.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <ctime>

namespace forebay {

struct FileTime {
  int64_t seconds = 0;
  int32_t nanoseconds = 0;

  auto operator<=>(const FileTime&) const = default;

  // Nanoseconds since the epoch, for people and JSON; wraps outside the years 1677 to 2262.
  int64_t total_nanoseconds() const {
    return static_cast<int64_t>(static_cast<uint64_t>(seconds) * 1'000'000'000u + static_cast<uint64_t>(nanoseconds));
  }
  timespec to_timespec() const { return {seconds, nanoseconds}; }

  static FileTime of(const timespec& time) { return {time.tv_sec, static_cast<int32_t>(time.tv_nsec)}; }
  static FileTime of(const statx_timestamp& time) { return {time.tv_sec, static_cast<int32_t>(time.tv_nsec)}; }
};

}  // namespace forebay
