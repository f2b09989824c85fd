#include "cli/output.h"

#include <unistd.h>

namespace forebay::cli {

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\t') {
      line += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

std::string error_text(const Error& error) {
  const bool judged = error.code == EINVAL || error.code == ENOTSUP || error.code == ENOTTY || error.code == EPROTO ||
                      error.code == EXDEV;
  return judged && !error.context.empty() ? error.context : error.message();
}

void print_error(std::string_view text) {
  const std::string line = fmt::format("forebay: {}\n", one_line(text));
  // One call, so that the lines of several processes and threads stay whole.
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

int report(const Error& error) {
  print_error(error_text(error));
  return kExitFailure;
}

}  // namespace forebay::cli
