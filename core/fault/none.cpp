#include "core/fault/fault.h"

namespace forebay {

bool fault_armed(Fault) { return false; }

}  // namespace forebay
