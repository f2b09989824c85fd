// A program that has a file open and locks it as it is told: locks of fcntl(2) are of processes.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <chrono>
#include <string>

namespace forebay::test {

// Failures of its own throw; what the calls say is returned as errno, 0 when all is well.
class LockProcess {
 public:
  explicit LockProcess(const std::string& path, int flags = O_RDWR);
  // Kills it, if it is still there.
  ~LockProcess();
  LockProcess(const LockProcess&) = delete;
  LockProcess& operator=(const LockProcess&) = delete;

  // `command`: F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW. `type`: F_RDLCK, F_WRLCK, F_UNLCK. `bytes` 0: to the end.
  int record(int command, short type, off_t begin = 0, off_t bytes = 0);
  // `operation` as in flock(2).
  int flock(int operation);
  // F_GETLK; what the kernel says is in the way.
  struct flock test(short type, off_t begin = 0, off_t bytes = 0);
  // Opens the file once more and closes that.
  int open_and_close();
  // Closes the file: it does nothing more after that.
  int close();
  // Adds 1 to the number in the first bytes of the file, so often, each time under an exclusive lock: of flock(2), or
  // of fcntl(2).
  enum class By { kFlock, kRecord };
  void begin_count(By by, int rounds);

  // The same without waiting for it: result() does.
  void begin_record(int command, short type, off_t begin = 0, off_t bytes = 0);
  void begin_flock(int operation);
  // Returns when it waits within a call for a lock.
  void await_waiting();
  bool is_done();
  int result(std::chrono::milliseconds limit = std::chrono::seconds(60));

  // SIGUSR1, whose handler does nothing; calls are interrupted, or go on by themselves.
  enum class Calls { kAreInterrupted, kGoOn };
  void handle_signal(Calls calls);
  void signal(int number) const;
  // SIGKILL; returns when it is gone.
  void kill();
  pid_t pid() const { return pid_; }

 private:
  struct Order;
  struct Reply;
  void send(const Order& order);
  Reply await(std::chrono::milliseconds limit);
  int ask(const Order& order);
  [[noreturn]] static void serve(int from, const std::string& path, int flags);
  static int obey(int file, const std::string& path, Order& order);
  static int count(int file, const Order& order);

  int socket_ = -1;
  pid_t pid_ = -1;
};

}  // namespace forebay::test
