// EndSignal: a daemon's wait for the end.
#pragma once

#include <pthread.h>

#include <csignal>

namespace forebay {

// TERM, INT and HUP reach no thread of this process while this lives, but wait(). Make it before any thread.
class EndSignal {
 public:
  EndSignal() {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~EndSignal() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  EndSignal(const EndSignal&) = delete;
  EndSignal& operator=(const EndSignal&) = delete;

  void wait() {
    int signal = 0;
    ::sigwait(&signals_, &signal);
  }

 private:
  sigset_t signals_, before_;
};

}  // namespace forebay
