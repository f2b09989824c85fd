#include "cachefs/caller_state.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>

namespace forebay::cachefs {
namespace {

struct CallerState {
  char state = '?';  // as in proc(5)
  uint64_t pending = 0, blocked = 0;
};

CallerState state_of(pid_t thread) {
  CallerState caller;
  std::ifstream status(fmt::format("/proc/{}/status", thread));
  std::string word;
  while (status >> word) {
    if (word == "State:") {
      status >> caller.state;
    } else if (word == "SigPnd:" || word == "ShdPnd:") {
      uint64_t signals = 0;
      status >> std::hex >> signals;
      caller.pending |= signals;
    } else if (word == "SigBlk:") {
      status >> std::hex >> caller.blocked;
    }
  }
  return caller;
}

}  // namespace

// It sleeps interruptibly until a signal comes, and uninterruptibly after that. It may not sleep yet.
bool was_interrupted_early(pid_t thread) {
  constexpr auto kLongest = std::chrono::milliseconds(100), kPause = std::chrono::milliseconds(1);
  const auto until = std::chrono::steady_clock::now() + kLongest;
  CallerState caller = state_of(thread);
  while (caller.state == 'R' && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kPause);
    caller = state_of(thread);
  }
  return caller.state == 'D' && (caller.pending & ~caller.blocked) != 0;
}

}  // namespace forebay::cachefs
