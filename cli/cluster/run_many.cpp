#include "cli/cluster/run_many.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "cli/interrupt.h"
#include "core/io.h"
#include "core/unique_fd.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;
using RunClock = std::chrono::steady_clock;

constexpr size_t kAtOnce = 64;           // each has a process here, and ssh its keys to compute
constexpr auto kGrace = 5s;              // between SIGTERM and SIGKILL
constexpr auto kLook = 200ms;            // how long an interrupt may go unseen
constexpr size_t kMostOutput = 1 << 20;  // what is read of each output

// Input and output are files in memory: nothing has to be pumped, and no reader that is late blocks a writer.
struct RunningProgram {
  size_t index = 0;
  pid_t pid = 0;
  UniqueFd process;
  UniqueFd out;
  UniqueFd err;
  RunClock::time_point end_by = RunClock::time_point::max();
  bool told = false;  // that it shall end
};

UniqueFd memory_file(const std::string& content) {
  UniqueFd file(::memfd_create("forebay", MFD_CLOEXEC));
  if (file && !content.empty() && !pwrite_full(file.get(), content.data(), content.size(), 0)) file.reset();
  return file;
}

std::string content_of(const UniqueFd& file) {
  std::string text(kMostOutput, '\0');
  const auto got = pread_full(file.get(), text.data(), text.size(), 0);
  text.resize(got ? *got : 0);
  return text;
}

int spawn_program(const std::vector<std::string>& words, int in, int out, int err, pid_t& pid) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
  // A group of its own: a Ctrl-C is ours to pass on, and what it started ends with it.
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int code = ::posix_spawnp(&pid, arguments.front(), &files, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return code;
}

class ProgramRunner {
 public:
  ProgramRunner(const std::vector<Invocation>& invocations, const RunLimits& limits)
      : invocations_(invocations), limits_(limits), outcomes_(invocations.size()) {}

  std::vector<Outcome> run() {
    while (next_ < invocations_.size() || !running_.empty()) {
      const bool stop = limits_.interruptible && interrupted();
      while (next_ < invocations_.size() && running_.size() < kAtOnce) {
        if (stop) {
          outcomes_[next_++].interrupted = true;
        } else {
          start(next_++);
        }
      }
      if (stop) end_all();
      wait();
      collect();
      end_late();
    }
    return std::move(outcomes_);
  }

 private:
  void start(size_t index) {
    RunningProgram program{.index = index, .process = {}, .out = memory_file(""), .err = memory_file("")};
    const UniqueFd in = memory_file(invocations_[index].input);
    int code = in && program.out && program.err ? 0 : ENOMEM;
    if (code == 0) {
      code = spawn_program(invocations_[index].words, in.get(), program.out.get(), program.err.get(), program.pid);
    }
    if (code != 0) {
      outcomes_[index].exit_status = 127;
      outcomes_[index].err = fmt::format("{}: {}", invocations_[index].words.front(), std::strerror(code));
      return;
    }
    program.process.reset(static_cast<int>(::syscall(SYS_pidfd_open, program.pid, 0)));
    if (limits_.deadline) program.end_by = RunClock::now() + *limits_.deadline;
    running_.push_back(std::move(program));
  }

  void wait() {
    std::vector<pollfd> waited;
    auto until = RunClock::now() + kLook;
    for (const RunningProgram& program : running_) {
      waited.push_back({program.process.get(), POLLIN, 0});
      until = std::min(until, program.end_by);
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - RunClock::now()).count();
    if (!waited.empty()) ::poll(waited.data(), waited.size(), static_cast<int>(std::max<int64_t>(0, left)));
  }

  void collect() {
    std::erase_if(running_, [this](const RunningProgram& program) {
      int status = 0;
      if (::waitpid(program.pid, &status, WNOHANG) == 0) return false;
      Outcome& outcome = outcomes_[program.index];
      outcome.exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      outcome.out = content_of(program.out);
      outcome.err = content_of(program.err);
      return true;
    });
  }

  void end_late() {
    const auto now = RunClock::now();
    for (RunningProgram& program : running_) {
      if (now < program.end_by) continue;
      if (!program.told) outcomes_[program.index].timed_out = true;
      tell(program, program.told ? SIGKILL : SIGTERM);
    }
  }

  void end_all() {
    for (RunningProgram& program : running_) {
      if (program.told) continue;
      outcomes_[program.index].interrupted = true;
      tell(program, SIGTERM);
    }
  }

  void tell(RunningProgram& program, int signal) {
    ::kill(-program.pid, signal);
    program.told = true;
    program.end_by = RunClock::now() + kGrace;
  }

  const std::vector<Invocation>& invocations_;
  const RunLimits& limits_;
  std::vector<Outcome> outcomes_;
  std::vector<RunningProgram> running_;
  size_t next_ = 0;
};

}  // namespace

std::vector<Outcome> run_many(const std::vector<Invocation>& invocations, const RunLimits& limits) {
  return ProgramRunner(invocations, limits).run();
}

}  // namespace forebay::cli
