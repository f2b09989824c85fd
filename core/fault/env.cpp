#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "core/fault/fault.h"

namespace forebay {
namespace {

std::string_view name_of(Fault fault) {
  switch (fault) {
    case Fault::kSkipFlush:
      return "skip-flush";
    case Fault::kLoseDirtyBit:
      return "lose-dirty-bit";
    case Fault::kIgnoreFsync:
      return "ignore-fsync";
    case Fault::kForgetPresence:
      return "forget-presence";
    case Fault::kSkipValidation:
      return "skip-validation";
    case Fault::kEvictDirty:
      return "evict-dirty";
    case Fault::kIgnoreConflict:
      return "ignore-conflict";
    case Fault::kTrustLeases:
      return "trust-leases";
    case Fault::kLaterVersion:
      return "later-version";
  }
  return "";
}

std::set<std::string, std::less<>> read_environment() {
  std::set<std::string, std::less<>> names;
  const char* list = std::getenv("FOREBAY_FAULTS");
  std::string_view rest = list == nullptr ? "" : list;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    names.emplace(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
  return names;
}

}  // namespace

bool fault_armed(Fault fault) {
  static const auto armed = read_environment();
  return armed.find(name_of(fault)) != armed.end();
}

}  // namespace forebay
