#include "cli/cluster/daemon_process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/io.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

std::string whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return read_rest(file);
}

std::vector<std::string> words_of_process(pid_t pid) {
  const std::string line = whole_file(fmt::format("/proc/{}/cmdline", pid));
  std::vector<std::string> words;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find('\0', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::optional<pid_t> pid_in(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || pid <= 0) return std::nullopt;
  const std::string_view rest = text.substr(static_cast<size_t>(end - text.data()));
  if (rest.find_first_not_of(" \n") != rest.npos) return std::nullopt;
  return pid;
}

std::optional<DaemonProcess> check_daemon(pid_t pid, const std::string& directory, std::string_view role) {
  // First held, then looked at: what is looked at is what is held.
  DaemonProcess daemon{pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))};
  if (!daemon.process || !is_daemon(words_of_process(pid), role, directory + "/forebay.toml")) return std::nullopt;
  return daemon;
}

bool has_ended(const DaemonProcess& daemon, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd waited{daemon.process.get(), POLLIN, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::max<int64_t>(0, left)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

void signal_daemon(const DaemonProcess& daemon, int signal) {
  // It may have ended by itself: then has_ended() sees it.
  ::syscall(SYS_pidfd_send_signal, daemon.process.get(), signal, nullptr, 0);
}

}  // namespace

bool is_daemon(const std::vector<std::string>& words, std::string_view role, const std::string& config_file) {
  const auto is_ours = [](const std::string& word) {
    const std::string_view name = std::string_view(word).substr(word.rfind('/') + 1);
    return name == "forebay" || name.starts_with("forebay-");  // such as forebay-faulty
  };
  constexpr size_t kPlaces = 2;  // behind an interpreter, it is the second word
  for (size_t at = 0; at < kPlaces && at + 1 < words.size(); ++at) {
    if (!is_ours(words[at]) || words[at + 1] != role) continue;
    const auto is_config = [&](const std::string& word) {
      return word == config_file || word == "--config=" + config_file;
    };
    return std::any_of(words.begin() + static_cast<ptrdiff_t>(at) + 2, words.end(), is_config);
  }
  return false;
}

std::optional<DaemonProcess> find_daemon(const std::string& directory, std::string_view role) {
  const auto pid = pid_in(whole_file(fmt::format("{}/{}.pid", directory, role)));
  if (!pid) return std::nullopt;
  return check_daemon(*pid, directory, role);
}

std::vector<DaemonProcess> find_all_daemons(const std::string& directory, std::string_view role) {
  std::vector<DaemonProcess> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto pid = pid_in(entry.path().filename().native());
    if (!pid || *pid == ::getpid()) continue;
    if (auto daemon = check_daemon(*pid, directory, role)) found.push_back(std::move(*daemon));
  }
  return found;
}

Status end_daemon(const DaemonProcess& daemon, std::string_view role, std::chrono::seconds limit, bool kill) {
  signal_daemon(daemon, SIGTERM);
  if (has_ended(daemon, limit)) return {};
  if (!kill) return fail(EINVAL, "{} (process {}) has not ended after {} s", role, daemon.pid, limit.count());
  signal_daemon(daemon, SIGKILL);
  if (has_ended(daemon, limit)) return {};
  return fail(EINVAL, "{} (process {}) hangs in the kernel", role, daemon.pid);
}

}  // namespace forebay::cli
