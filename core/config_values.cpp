#include "core/config_values.h"

#include <cmath>
#include <optional>

#include "core/nearest.h"
#include "core/units.h"

namespace forebay {
namespace {

// "90%" or "12.5 %" -> 0.9, 0.125; nothing for anything else.
std::optional<double> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  double percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(percent > 0) || percent > 100) return std::nullopt;
  return percent / 100;
}

}  // namespace

Status set_share(Share& field, std::string_view value, uint64_t least_bytes) {
  if (value.ends_with('%')) {
    const auto fraction = parse_percent(value);
    if (!fraction) return fail(EINVAL, "\"{}\" is not a percentage above 0% and up to 100%", value);
    field = Share{*fraction, 0};
    return {};
  }
  const auto bytes = parse_bytes(value);
  if (!bytes) return fail(EINVAL, "\"{}\" is not a size (examples: \"10GiB\", \"90%\")", value);
  if (*bytes < least_bytes) return fail(EINVAL, "\"{}\" is too small; at least {}", value, size_text(least_bytes));
  field = Share{std::nullopt, *bytes};
  return {};
}

Status set_size(uint64_t& field, std::string_view value, uint64_t least_bytes, uint64_t most_bytes) {
  ASSIGN_OR_RETURN(const uint64_t bytes, parse_bytes(value));
  if (bytes < least_bytes || bytes > most_bytes) {
    return fail(EINVAL, "\"{}\" is out of range; {} to {}", value, size_text(least_bytes), size_text(most_bytes));
  }
  field = bytes;
  return {};
}

Status set_duration(std::chrono::milliseconds& field, std::string_view value) {
  ASSIGN_OR_RETURN(field, parse_duration(value));
  return {};
}

Status set_count(uint32_t& field, std::string_view value, uint32_t least, uint32_t most) {
  uint32_t count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  const bool whole = end == value.data() + value.size();
  if (!whole || (error != std::errc() && error != std::errc::result_out_of_range)) {
    return fail(EINVAL, "\"{}\" is not a whole number", value);
  }
  if (error != std::errc() || count < least || count > most) {
    return fail(EINVAL, "{} is out of range; {} to {}", value, least, most);
  }
  field = count;
  return {};
}

std::string share_text(const Share& share) {
  if (!share.fraction) return size_text(share.bytes);
  // Ten digits hide that 0.9 * 100 is not exactly 90.
  return fmt::format("{:.10g}%", *share.fraction * 100);
}

std::string size_text(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kNames = {"", "KiB", "MiB", "GiB", "TiB"};
  size_t name = 0;
  for (; bytes != 0 && bytes % 1024 == 0 && name + 1 < kNames.size(); ++name) bytes /= 1024;
  return fmt::format("{}{}", bytes, kNames[name]);
}

std::string duration_text(std::chrono::milliseconds duration) {
  const int64_t ms = duration.count();
  if (ms % 1000 != 0) return fmt::format("{}ms", ms);
  if (ms == 0 || ms % 60'000 != 0) return fmt::format("{}s", ms / 1000);
  if (ms % 3'600'000 != 0) return fmt::format("{}min", ms / 60'000);
  return fmt::format("{}h", ms / 3'600'000);
}

Failure no_choice(std::string_view value, const std::string_view* names, size_t count) {
  std::string list;
  for (size_t i = 0; i < count; ++i) list += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", names[i]);
  return fail(EINVAL, "\"{}\" is none of {}{}", value, list, suggestion(value, {names, names + count}));
}

Failure not_available(std::string_view value, std::string_view instead) {
  return fail(ENOTSUP, "\"{}\" is not available in this version; use {}", value, instead);
}

}  // namespace forebay
