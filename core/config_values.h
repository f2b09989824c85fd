// From the text of a configuration value to its field, and back: private to core/config*.cpp. Every failure is EINVAL
// or ENOTSUP with a context that says what is wrong with the value, without naming the key.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/config.h"
#include "core/result.h"

namespace forebay {

// Shares are percentages above 0 up to 100, or sizes of at least `least_bytes`.
Status set_share(Share& field, std::string_view value, uint64_t least_bytes);
Status set_size(uint64_t& field, std::string_view value, uint64_t least_bytes, uint64_t most_bytes);
Status set_duration(std::chrono::milliseconds& field, std::string_view value);
Status set_count(uint32_t& field, std::string_view value, uint32_t least, uint32_t most);

std::string share_text(const Share& share);
std::string size_text(uint64_t bytes);                          // exact: "512KiB", "1000"
std::string duration_text(std::chrono::milliseconds duration);  // exact: "5s", "1500ms"

template <typename Enum>
struct Choice {
  std::string_view name;
  Enum value;
};

// `"x" is none of "a", "b", "c"`
Failure no_choice(std::string_view value, const std::string_view* names, size_t count);

template <typename Enum, size_t N>
Status set_choice(Enum& field, std::string_view value, const std::array<Choice<Enum>, N>& choices) {
  std::array<std::string_view, N> names;
  for (size_t i = 0; i < N; ++i) {
    names[i] = choices[i].name;
    if (choices[i].name != value) continue;
    field = choices[i].value;
    return {};
  }
  return no_choice(value, names.data(), N);
}

template <typename Enum, size_t N>
std::string choice_text(Enum field, const std::array<Choice<Enum>, N>& choices) {
  for (const auto& choice : choices) {
    if (choice.value == field) return std::string(choice.name);
  }
  return {};
}

// A value that the design knows and this version does not: ENOTSUP, saying what to write instead.
Failure not_available(std::string_view value, std::string_view instead);

}  // namespace forebay
