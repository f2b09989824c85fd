// Sizes and durations as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace forebay {

// "512KiB", "64 MiB", "1.5GB", "4096" -> bytes. EINVAL when it is no size or does not fit 63 bits.
Result<uint64_t> parse_bytes(std::string_view text);

// "250ms", "1s", "5min", "2h"; a number without unit is seconds. EINVAL.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// 1536 -> "1.5 KiB"; exact numbers below 1 KiB are "N B".
std::string format_bytes(uint64_t bytes);

// 65s -> "1m05s"; below a minute "12s".
std::string format_duration(std::chrono::seconds duration);

}  // namespace forebay
