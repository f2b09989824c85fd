// detach_mount(): umount2(2), or the setuid helper of libfuse for ordinary users.
#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "cachefs/mount_table.h"
#include "core/unique_fd.h"

namespace forebay::cachefs {
namespace {

// Runs the helper and returns its exit status, with what it wrote to stderr in `said`. Errno of pipe and spawn.
Result<int> run_helper(const std::string& mountpoint, bool lazily, std::string& said) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("{}", kFuseHelper);
  const UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  std::vector<std::string> words = {kFuseHelper, "-u"};
  if (lazily) words.emplace_back("-z");
  words.emplace_back("--");
  words.push_back(mountpoint);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.get(), STDERR_FILENO);
  pid_t child = -1;
  const int error = posix_spawnp(&child, kFuseHelper, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(error, "{}", kFuseHelper);
  input.reset();

  char buffer[512];
  for (;;) {
    const ssize_t got = ::read(output.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    said.append(buffer, static_cast<size_t>(got));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

Status detach_mount(const std::string& mountpoint, bool lazily) {
  if (::umount2(mountpoint.c_str(), UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0) return {};
  if (errno != EPERM) return fail_errno("{}", mountpoint);
  std::string said;
  const auto status = run_helper(mountpoint, lazily, said);
  if (!status) return fail(EPERM, "{}: only root may unmount without {}", mountpoint, kFuseHelper);
  if (*status == 0) return {};
  said = said.substr(0, said.find('\n'));
  const bool busy = said.find("busy") != said.npos;
  return fail(busy ? EBUSY : EPERM, "{}{}{}", mountpoint, said.empty() ? "" : ": ", said);
}

}  // namespace forebay::cachefs
