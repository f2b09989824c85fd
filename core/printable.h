// Names in logs and messages: any byte may be in a file's name, and a line must stay a line.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace forebay {

// Control characters as \xNN; other bytes as they are.
inline std::string printable(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr unsigned char kSpace = 0x20, kDelete = 0x7f;
    if (byte < kSpace || byte == kDelete) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace forebay
