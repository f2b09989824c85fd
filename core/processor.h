// Processors: a thread that waits for another one's work is woken fastest on the processor that both run on. An idle
// one must be woken itself, which costs more than most requests.
#pragma once

#include <cstdint>

namespace forebay {

constexpr uint32_t kNoProcessor = UINT32_MAX;

// How many this machine can have, with those that are offline; 0 if the kernel does not say.
uint32_t possible_processors();
// Where the calling thread runs now.
uint32_t current_processor();
// From now on the calling thread runs there alone. For one that is offline or not ours this does nothing.
void stay_on_processor(uint32_t processor);
// The calling thread runs wherever the process may. What a thread starts stays where that stays; so this comes first in
// threads that serve others than who started them.
void leave_processor();

}  // namespace forebay
