// Cleans up after a test program that died: then no destructor runs, and a mount would stay for ever.
#pragma once

#include <sys/types.h>

#include <string>

namespace forebay::test {

// Watches from a process of its own. If this program ends before the Reaper does, the processes named to it are
// killed, everything mounted below `directory` is detached, and `directory` is removed.
class Reaper {
 public:
  explicit Reaper(const std::string& directory);
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // A process that would outlive the test program.
  void watch(pid_t process);

 private:
  int orders_ = -1;  // a line per process, "done" at an orderly end
};

}  // namespace forebay::test
