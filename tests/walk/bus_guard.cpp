#include "bus_guard.h"

#include <csetjmp>
#include <csignal>
#include <cstring>

namespace forebay::walk {
namespace {

thread_local sigjmp_buf escape;
thread_local volatile sig_atomic_t guarded = 0;

void on_bus_error(int signal) {
  if (guarded != 0) siglongjmp(escape, 1);
  // Not ours: die of it as usual.
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

void install_bus_guard() {
  struct sigaction action = {};
  action.sa_handler = on_bus_error;
  action.sa_flags = SA_NODEFER;
  ::sigaction(SIGBUS, &action, nullptr);
}

bool guarded_copy(void* to, const void* from, size_t length) {
  // With the signal mask: sanitizers block everything in handlers.
  if (sigsetjmp(escape, 1) != 0) {
    guarded = 0;
    return false;
  }
  guarded = 1;
  ::memcpy(to, from, length);
  guarded = 0;
  return true;
}

}  // namespace forebay::walk
