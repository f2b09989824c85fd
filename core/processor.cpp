#include "core/processor.h"

#include <sched.h>

#include <fstream>

namespace forebay {
namespace {

// Before any thread stays anywhere.
const cpu_set_t allowed = [] {
  cpu_set_t set;
  CPU_ZERO(&set);
  (void)::sched_getaffinity(0, sizeof(set), &set);
  return set;
}();

}  // namespace

uint32_t possible_processors() {
  // "0-1", "0-127"
  std::ifstream file("/sys/devices/system/cpu/possible");
  uint32_t first = 0;
  uint32_t last = 0;
  char dash = 0;
  if (!(file >> first)) return 0;
  if (!(file >> dash >> last)) last = first;
  return last + 1;
}

uint32_t current_processor() {
  const int processor = ::sched_getcpu();
  return processor < 0 ? kNoProcessor : static_cast<uint32_t>(processor);
}

void stay_on_processor(uint32_t processor) {
  if (processor >= CPU_SETSIZE) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  (void)::sched_setaffinity(0, sizeof(set), &set);
}

void leave_processor() { (void)::sched_setaffinity(0, sizeof(allowed), &allowed); }

}  // namespace forebay
