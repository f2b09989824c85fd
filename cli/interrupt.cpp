#include "cli/interrupt.h"

#include <atomic>
#include <csignal>

namespace forebay::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
std::atomic<bool> came{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler may set it

void note_signal(int) { came.store(true); }

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  // No SA_RESTART: the call that waits shall return.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : kSignals) {
    struct sigaction before {};
    // What was started with nohup goes on.
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

void release_interrupts() {
  for (const int signal : kSignals) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) ::signal(signal, SIG_DFL);
  }
}

bool interrupted() { return came.load(); }

}  // namespace forebay::cli
