#include "cli/detached.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "core/log.h"
#include "core/unique_fd.h"

namespace forebay::cli {
namespace {

// On the pipe from child to parent: this byte for "ready", or the text of an error, or nothing when the child died.
constexpr char kReady = '\0';
constexpr int kPipe = 3;  // the only descriptor that the child keeps besides the standard ones

void redirect_to_null(std::initializer_list<int> fds, int flags) {
  const UniqueFd null(::open("/dev/null", flags | O_CLOEXEC));
  for (const int fd : fds) {
    if (null) ::dup2(null.get(), fd);
  }
}

void leave_callers_world(int pipe) {
  release_interrupts();
  ::setsid();
  if (pipe != kPipe) ::dup2(pipe, kPipe);
  ::fcntl(kPipe, F_SETFD, FD_CLOEXEC);
  // A lock or a pipe of the script that mounts must not stay open as long as the mount.
  ::close_range(kPipe + 1, ~0U, 0);
  if (::chdir("/") != 0) return;  // cannot fail; staying would only keep a directory busy
}

void send(const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t wrote = ::write(kPipe, text.data() + sent, text.size() - sent);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) break;  // the parent is gone
    sent += static_cast<size_t>(wrote);
  }
  ::close(kPipe);
}

int run_child(const Service& service) {
  redirect_to_null({STDIN_FILENO}, O_RDONLY);
  bool ready = false;
  const Status status = service([&ready] {
    redirect_to_null({STDOUT_FILENO, STDERR_FILENO}, O_WRONLY);
    ready = true;
    send(std::string(1, kReady));
  });
  if (status) return 0;
  if (ready) {
    log(Module::kCli).error("{}", error_text(status.error()));
  } else {
    send(error_text(status.error()));
  }
  return kExitFailure;
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = ::strsignal(WTERMSIG(status));
    return fmt::format("signal {}, {}", WTERMSIG(status), name == nullptr ? "unknown" : name);
  }
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

int reap(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

int run_parent(pid_t child, int pipe) {
  std::string said;
  char buffer[1024];
  for (;;) {
    const ssize_t got = ::read(pipe, buffer, sizeof buffer);
    if (got > 0) said.append(buffer, static_cast<size_t>(got));
    if (got == 0 || said.starts_with(kReady)) break;
    if (got >= 0 || (errno == EINTR && !interrupted())) continue;
    ::kill(child, SIGTERM);
    reap(child);
    return kExitInterrupted;
  }
  if (said.starts_with(kReady)) return 0;
  const int status = reap(child);
  if (said.empty()) said = fmt::format("the process of the mount ended without a word ({})", describe_end(status));
  print_error(said);
  return kExitFailure;
}

}  // namespace

int run_detached(const Service& service) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return report(Error{errno, "pipe"});
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);
  std::fflush(nullptr);
  catch_interrupts();
  const pid_t child = ::fork();
  if (child < 0) return report(Error{errno, "fork"});
  if (child == 0) {
    leave_callers_world(to_parent.release());
    from_child.release();  // closed with the rest
    return run_child(service);
  }
  to_parent.reset();
  const int exit_status = run_parent(child, from_child.get());
  release_interrupts();
  return exit_status;
}

}  // namespace forebay::cli
