#include "core/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <optional>

namespace forebay {
namespace {

struct Unit {
  std::string_view name;  // in lower case
  uint64_t factor;
};

constexpr uint64_t kKi = 1024, kMi = kKi << 10, kGi = kMi << 10, kTi = kGi << 10, kPi = kTi << 10;
constexpr uint64_t kKilo = 1000, kMega = kKilo * 1000, kGiga = kMega * 1000, kTera = kGiga * 1000;

// A bare letter is binary, as in mount options and in most tools that take sizes.
constexpr std::array kSizeUnits = {
    Unit{"", 1},      Unit{"b", 1},      Unit{"k", kKi}, Unit{"kib", kKi}, Unit{"kb", kKilo},        Unit{"m", kMi},
    Unit{"mib", kMi}, Unit{"mb", kMega}, Unit{"g", kGi}, Unit{"gib", kGi}, Unit{"gb", kGiga},        Unit{"t", kTi},
    Unit{"tib", kTi}, Unit{"tb", kTera}, Unit{"p", kPi}, Unit{"pib", kPi}, Unit{"pb", kTera * 1000},
};

constexpr std::array kTimeUnits = {
    Unit{"", 1000},       Unit{"ms", 1},          Unit{"s", 1000},        Unit{"sec", 1000},
    Unit{"m", 60 * 1000}, Unit{"min", 60 * 1000}, Unit{"h", 3600 * 1000}, Unit{"d", 24 * 3600 * 1000},
};

// Durations are added to clocks that count nanoseconds in 63 bits; a century is far from their end and "for ever" for
// any setting.
constexpr uint64_t kLongestMs = 100ull * 365 * 24 * 3600 * 1000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "1.5 GiB" with a list of units -> the number of smallest units, rounded to the nearest; nothing when it is none.
template <size_t N>
std::optional<uint64_t> parse_amount(std::string_view text, const std::array<Unit, N>& units, uint64_t largest) {
  size_t at = 0;
  uint64_t whole = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    if (__builtin_mul_overflow(whole, 10, &whole)) return std::nullopt;
    if (__builtin_add_overflow(whole, static_cast<uint64_t>(text[at] - '0'), &whole)) return std::nullopt;
  }
  if (at == 0) return std::nullopt;
  long double fraction = 0;
  if (at < text.size() && text[at] == '.') {
    const size_t first = ++at;
    for (long double scale = 0.1L; at < text.size() && is_digit(text[at]); ++at, scale /= 10) {
      fraction += scale * static_cast<long double>(text[at] - '0');
    }
    if (at == first) return std::nullopt;
  }
  while (at < text.size() && text[at] == ' ') ++at;
  std::string name;
  for (const char c : text.substr(at)) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    uint64_t amount = 0;
    if (__builtin_mul_overflow(whole, unit.factor, &amount)) return std::nullopt;
    const auto rest = static_cast<uint64_t>(std::llround(fraction * static_cast<long double>(unit.factor)));
    if (__builtin_add_overflow(amount, rest, &amount) || amount > largest) return std::nullopt;
    return amount;
  }
  return std::nullopt;
}

}  // namespace

Result<uint64_t> parse_bytes(std::string_view text) {
  const auto bytes = parse_amount(text, kSizeUnits, std::numeric_limits<int64_t>::max());
  if (!bytes) return fail(EINVAL, "\"{}\" is not a size (examples: \"512KiB\", \"10GiB\")", text);
  return *bytes;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto ms = parse_amount(text, kTimeUnits, kLongestMs);
  if (!ms) return fail(EINVAL, "\"{}\" is not a duration (examples: \"250ms\", \"5s\", \"10min\")", text);
  return std::chrono::milliseconds(*ms);
}

std::string format_bytes(uint64_t bytes) {
  if (bytes < kKi) return fmt::format("{} B", bytes);
  constexpr std::array kNames = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double amount = static_cast<double>(bytes) / static_cast<double>(kKi);
  size_t name = 0;
  // 1023.95 and more would be shown as "1024.0".
  for (; amount >= 1023.95 && name + 1 < kNames.size(); ++name) amount /= static_cast<double>(kKi);
  return fmt::format("{:.1f} {}", amount, kNames[name]);
}

std::string format_duration(std::chrono::seconds duration) {
  const int64_t total = std::max<int64_t>(0, duration.count());
  const int64_t days = total / 86400, hours = total / 3600 % 24, minutes = total / 60 % 60, seconds = total % 60;
  if (days > 0) return fmt::format("{}d{:02}h", days, hours);
  if (hours > 0) return fmt::format("{}h{:02}m", hours, minutes);
  if (minutes > 0) return fmt::format("{}m{:02}s", minutes, seconds);
  return fmt::format("{}s", seconds);
}

}  // namespace forebay
