#include "core/result.h"

#include <cstring>

namespace forebay {

std::string Error::message() const {
  const char* reason = strerrordesc_np(code);
  if (reason == nullptr) reason = "unknown error";
  return context.empty() ? std::string(reason) : fmt::format("{}: {}", context, reason);
}

}  // namespace forebay
