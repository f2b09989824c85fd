#include "cachefs/mount_table.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <memory>

#include "core/unique_fd.h"

namespace forebay::cachefs {
namespace {

constexpr char kMountInfo[] = "/proc/self/mountinfo";

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// The kernel writes blanks, newlines and backslashes as \040 and so on.
std::string unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<unsigned> parse_number(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "36 35 98:0 /root /mountpoint options optional... - type source super-options"
std::optional<MountEntry> parse_line(std::string_view line) {
  const auto words = split(line, ' ');
  size_t dash = 6;
  while (dash < words.size() && words[dash] != "-") ++dash;
  if (dash + 2 >= words.size()) return std::nullopt;
  const size_t colon = words[2].find(':');
  if (colon == words[2].npos) return std::nullopt;
  const auto major_number = parse_number(words[2].substr(0, colon));
  const auto minor_number = parse_number(words[2].substr(colon + 1));
  if (!major_number || !minor_number) return std::nullopt;
  return MountEntry{unescape(words[4]), unescape(words[dash + 1]), unescape(words[dash + 2]),
                    makedev(*major_number, *minor_number)};
}

}  // namespace

std::vector<MountEntry> parse_mount_table(std::string_view text) {
  std::vector<MountEntry> table;
  for (const std::string_view line : split(text, '\n')) {
    if (auto entry = parse_line(line)) table.push_back(*std::move(entry));
  }
  return table;
}

Result<std::vector<MountEntry>> read_mount_table() {
  const UniqueFd file(::open(kMountInfo, O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("{}", kMountInfo);
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got == 0) return parse_mount_table(text);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("{}", kMountInfo);
    text.append(buffer, static_cast<size_t>(got));
  }
}

std::optional<MountEntry> find_mount_at(const std::vector<MountEntry>& table, std::string_view mountpoint) {
  const auto top = std::find_if(table.rbegin(), table.rend(),
                                [&](const MountEntry& entry) { return entry.mountpoint == mountpoint; });
  return top == table.rend() ? std::nullopt : std::optional(*top);
}

Result<MountEntry> find_mount_of(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<MountEntry> table, read_mount_table());
  struct stat attributes {};
  if (::lstat(path.c_str(), &attributes) != 0) {
    if (errno == ENOTCONN) return fail(ENOTCONN, "{}: the process of the mount is gone", path);
    return fail_errno("{}", path);
  }
  for (const MountEntry& entry : table) {
    if (entry.type == kMountType && entry.device == attributes.st_dev) return entry;
  }
  return fail(ENOTTY, "{}: not inside a forebay mount", path);
}

Result<std::string> resolve_path(const std::string& path) {
  std::string plain = path;
  while (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
  std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(plain.c_str(), nullptr), &std::free);
  if (resolved) return std::string(resolved.get());
  if (errno != ENOTCONN) return fail_errno("{}", path);
  // The last component is a dead mountpoint: whatever it is, it is no link.
  const size_t slash = plain.rfind('/');
  const std::string parent = slash == plain.npos ? "." : plain.substr(0, slash + 1);
  resolved.reset(::realpath(parent.c_str(), nullptr));
  if (!resolved) return fail_errno("{}", path);
  std::string whole = resolved.get();
  if (!whole.ends_with('/')) whole += '/';
  return whole + plain.substr(slash == plain.npos ? 0 : slash + 1);
}

namespace {

// Asked for anew: the kernel may still know the attributes from the time when there was someone to ask. A question that
// was on its way when the server died is answered so; the next one shows what is left.
bool answers_that_it_is_dead(const char* mountpoint) {
  constexpr int kMostTries = 8;
  struct statx attributes {};
  for (int tries = 0; tries < kMostTries; ++tries) {
    if (::statx(AT_FDCWD, mountpoint, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &attributes) == 0) return false;
    if (errno != ECONNABORTED) return errno == ENOTCONN;
  }
  return false;
}

}  // namespace

// Who asks a file system that waits for something (a server of its cluster) waits with it, and nothing ends that: so
// somebody else asks, who holds nothing that others wait for.
bool is_dead_mount(const std::string& mountpoint) {
  constexpr std::chrono::milliseconds kLongest{1000};
  const pid_t child = ::fork();
  if (child < 0) return answers_that_it_is_dead(mountpoint.c_str());
  if (child == 0) {
    ::close_range(0, UINT_MAX, 0);
    ::_exit(answers_that_it_is_dead(mountpoint.c_str()) ? 1 : 0);
  }
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  if (process && ::poll(&ended, 1, static_cast<int>(kLongest.count())) == 0) return false;
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

}  // namespace forebay::cachefs
