// Cleans up after a test program that died: then no destructor runs, and a mount would stay for ever.
#pragma once

#include <sys/types.h>

#include <string>

namespace forebay::test {

// Watches from a process of its own. If this program ends before the Reaper does, the commands named to it are run, the
// processes are killed, everything mounted below `directory` is detached, and `directory` is removed.
class Reaper {
 public:
  explicit Reaper(const std::string& directory);
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // A process that would outlive the test program.
  void watch(pid_t process);
  // A command for the shell, which is run first.
  void run(const std::string& command);

 private:
  int orders_ = -1;  // a line per process, "done" at an orderly end
};

}  // namespace forebay::test
