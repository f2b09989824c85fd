#include "tests/support/reaper.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace forebay::test {
namespace {

// A number is killed only while it still belongs to a process that was started for this directory.
constexpr char kScript[] = R"(
pids=
commands=
while read -r order; do
  [ "$order" = done ] && exit 0
  case "$order" in
  "run "*) commands="$commands ${order#run };" ;;
  *) pids="$pids $order" ;;
  esac
done
eval "$commands"
for pid in $pids; do
  grep -qF "$1" "/proc/$pid/cmdline" 2>/dev/null && kill -9 "$pid"
done
for round in 1 2 3; do
  cut -d ' ' -f 5 /proc/self/mountinfo | grep -F "$1/" | tac | while read -r mounted; do umount -l "$mounted"; done
done
rm -rf --one-file-system "$1"
)";

[[noreturn]] void become_reaper(int orders, const std::string& directory) {
  ::setsid();
  // Twice: what is not our child is not killed along with us either.
  if (::fork() != 0) ::_exit(0);
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(orders, STDIN_FILENO);
  ::dup2(nothing, STDOUT_FILENO);
  ::dup2(nothing, STDERR_FILENO);
  ::execlp("sh", "sh", "-c", kScript, "reaper", directory.c_str(), nullptr);
  ::_exit(1);
}

void send(int to, const std::string& line) {
  if (::write(to, line.data(), line.size()) < 0) return;  // it is gone: then nobody cleans up, which is no failure
}

}  // namespace

Reaper::Reaper(const std::string& directory) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) become_reaper(ends[0], directory);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  orders_ = ends[1];
}

Reaper::~Reaper() {
  send(orders_, "done\n");
  ::close(orders_);
}

void Reaper::watch(pid_t process) { send(orders_, std::to_string(process) + "\n"); }

void Reaper::run(const std::string& command) { send(orders_, "run " + command + "\n"); }

}  // namespace forebay::test
