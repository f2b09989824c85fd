#include "text.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace forebay::walk {

std::string printable(std::string_view bytes) {
  constexpr size_t kLongest = 200;
  constexpr size_t kRun = 12;
  std::string text;
  for (size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const size_t run = std::min(bytes.find_first_not_of(bytes[i], i), bytes.size()) - i;
    if (byte == '"' || byte == '\\')
      text += {'\\', static_cast<char>(byte)};
    else if (byte >= 0x20 && byte < 0x7f)
      text += static_cast<char>(byte);
    else
      text += fmt::format("\\x{:02x}", byte);
    if (run >= kRun) text += fmt::format("{{{}}}", run);
    i += run >= kRun ? run : 1;
  }
  if (text.size() > kLongest) text = text.substr(0, 90) + "[...]" + text.substr(text.size() - 90);
  return bytes.size() > 60 ? fmt::format("\"{}\"({} bytes)", text, bytes.size()) : "\"" + text + "\"";
}

std::string error_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name == nullptr ? fmt::format("errno {}", error) : name;
}

std::string to_hex(std::string_view bytes) {
  std::string text;
  for (unsigned char byte : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

std::string from_hex(std::string_view text) {
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) bytes += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  return bytes;
}

std::string bytes_difference(std::string_view subject, std::string_view model) {
  const size_t common = std::min(subject.size(), model.size());
  const auto [in_subject, in_model] = std::mismatch(subject.begin(), subject.begin() + common, model.begin());
  const size_t at = static_cast<size_t>(in_subject - subject.begin());
  size_t count = 0;
  size_t last = at;
  size_t zeros = 0;
  for (size_t i = at; i < common; ++i) {
    if (subject[i] == model[i]) continue;
    ++count;
    last = i;
    if (subject[i] == '\0') ++zeros;
  }
  return fmt::format(
      "{} bytes against {}; first difference at {}, last at {}, {} bytes differ, {} of them zero in the subject; "
      "subject {}, model {}",
      subject.size(), model.size(), at, last, count, zeros, printable(subject.substr(at, 24)),
      printable(model.substr(at, 24)));
}

const char* type_name(unsigned mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    case S_IFCHR:
      return "char-device";
    case S_IFBLK:
      return "block-device";
    default:
      return "unknown";
  }
}

}  // namespace forebay::walk
