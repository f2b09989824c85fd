#include "tests/support/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace forebay::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCouldNotStart = 127;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  return {ends[0], ends[1]};
}

[[noreturn]] void start(std::vector<char*> arguments, const ProcessOptions& options, int out, int err) {
  ::setpgid(0, 0);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  for (const std::string& setting : options.environment) ::putenv(const_cast<char*>(setting.c_str()));
  bool fine = options.directory.empty() || ::chdir(options.directory.c_str()) == 0;
  if (options.user) {
    fine = fine && ::setgroups(0, nullptr) == 0 && ::setgid(*options.user) == 0 && ::setuid(*options.user) == 0;
  }
  if (fine) ::execvp(arguments[0], arguments.data());
  const std::string line = fmt::format("{}: {}\n", arguments[0], std::strerror(errno));
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) ::_exit(kCouldNotStart);
  ::_exit(kCouldNotStart);
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<int64_t>(0, left.count()));
}

// Appends what there is to read; closes the descriptor at the end.
void take(pollfd& from, std::string& text) {
  if (from.revents == 0) return;
  char buffer[65536];
  const ssize_t got = ::read(from.fd, buffer, sizeof buffer);
  if (got > 0) {
    text.append(buffer, static_cast<size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    ::close(from.fd);
    from.fd = -1;
  }
}

// False at the deadline.
bool collect(pollfd (&ends)[3], ProcessResult& result, Clock::time_point deadline) {
  while (ends[0].fd >= 0 || ends[1].fd >= 0 || ends[2].fd >= 0) {
    const int ready = ::poll(ends, 3, milliseconds_until(deadline));
    if (ready == 0) return false;
    if (ready < 0) continue;
    take(ends[0], result.out);
    take(ends[1], result.err);
    if (ends[2].revents != 0) {
      ::close(ends[2].fd);
      ends[2].fd = -1;
    }
  }
  return true;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& words, const ProcessOptions& options) {
  std::vector<std::string> copy = words;
  std::vector<char*> arguments;
  arguments.reserve(copy.size() + 1);
  for (std::string& word : copy) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  const Pipe out = make_pipe(), err = make_pipe();
  const pid_t child = ::fork();
  if (child < 0) std::abort();
  if (child == 0) start(arguments, options, out.write_end, err.write_end);
  ::close(out.write_end);
  ::close(err.write_end);

  ProcessResult result;
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  pollfd ends[3] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}, {process, POLLIN, 0}};
  result.timed_out = !collect(ends, result, Clock::now() + options.timeout);
  if (result.timed_out) ::kill(-child, SIGKILL);
  for (const pollfd& end : ends) {
    if (end.fd >= 0) ::close(end.fd);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string describe(const ProcessResult& result) {
  return fmt::format("exit status {}{}\nstdout: {}\nstderr: {}", result.exit_status,
                     result.timed_out ? " after a timeout" : "", result.out, result.err);
}

}  // namespace forebay::test
