#include "cli/control.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cstring>

#include "cachefs/mount_table.h"

namespace forebay::cli {
namespace {

using cachefs::ControlAction;
using cachefs::ControlRequest;

constexpr uint32_t kWaitMs = 200;  // short enough for a bar that moves and for Ctrl-C

Failure failed_call(const std::string& path) {
  if (errno == ENOTCONN || errno == ECONNABORTED) return fail(ENOTCONN, "{}: the process of the mount is gone", path);
  return fail_errno("{}", path);
}

Status call(int fd, const std::string& path, ControlRequest& request) {
  while (::ioctl(fd, cachefs::kControlIoctl, &request) != 0) {
    if (errno == ENOTTY) return fail(ENOTTY, "{}: not inside a forebay mount", path);
    if (errno != EINTR) return failed_call(path);
    // A signal ended the call early; with nothing waited for, the next one comes through, and the watcher decides.
    request.wait_ms = 0;
  }
  request.message[sizeof request.message - 1] = '\0';
  return {};
}

Status failure_of(const std::string& path, const ControlRequest& answer) {
  const int code = answer.error == 0 ? EIO : static_cast<int>(answer.error);
  const std::string others = answer.failed_files > 1 ? fmt::format(" ({} files failed)", answer.failed_files) : "";
  if (answer.message[0] == '\0') return fail(code, "{}{}", path, others);
  // The message says why; the errno's own words would say it twice.
  return fail(EINVAL, "{}: {}{}", path, answer.message, others);
}

Status check_type(const std::string& path) {
  struct stat attributes {};
  if (::lstat(path.c_str(), &attributes) != 0) return fail_errno("{}", path);
  if (S_ISREG(attributes.st_mode) || S_ISDIR(attributes.st_mode)) return {};
  return fail(EINVAL, "{}: not a regular file or directory", path);
}

}  // namespace

Result<UniqueFd> open_for_control(const std::string& path) {
  // Looked at before it is opened: opening a device does things.
  RETURN_IF_ERROR(check_type(path));
  constexpr int kFlags = cachefs::kControlOpenFlags | O_CLOEXEC;
  UniqueFd file(::open(path.c_str(), O_RDONLY | kFlags));
  if (!file && errno == EACCES) {
    file.reset(::open(path.c_str(), O_WRONLY | kFlags));
    if (!file) errno = EACCES;
  }
  if (!file) return failed_call(path);
  return file;
}

Status run_control(int fd, const std::string& path, ControlAction action, const Watcher& watch) {
  ControlRequest request;
  // The first call waits for nothing: it tells how much there is to do, so that progress starts at zero.
  request.flags = cachefs::kControlFirst;
  for (;;) {
    request.action = static_cast<uint32_t>(action);
    RETURN_IF_ERROR(call(fd, path, request));
    if (!watch(request)) return fail(EINTR, "{}", path);
    if (request.remaining_files == 0) break;
    request.flags = 0;
    request.wait_ms = kWaitMs;
  }
  return request.failed_files + request.conflicts == 0 ? Status() : failure_of(path, request);
}

Status send_control(int fd, const std::string& path, ControlAction action, uint32_t flags) {
  ControlRequest request;
  request.action = static_cast<uint32_t>(action);
  request.flags = flags;
  return call(fd, path, request);
}

Result<nlohmann::ordered_json> read_facts(const std::string& path, const char* attribute) {
  RETURN_IF_ERROR(cachefs::find_mount_of(path));
  RETURN_IF_ERROR(check_type(path));
  return read_facts_inside(path, attribute);
}

Result<nlohmann::ordered_json> read_facts_inside(const std::string& path, const char* attribute) {
  std::string text(4096, '\0');
  for (;;) {
    const ssize_t got = ::lgetxattr(path.c_str(), attribute, text.data(), text.size());
    if (got >= 0) {
      text.resize(static_cast<size_t>(got));
      break;
    }
    if (errno != ERANGE || text.size() >= 65536) return failed_call(path);
    text.resize(text.size() * 4);
  }
  auto facts = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!facts.is_object()) return fail(EPROTO, "{}: the answer of the mount makes no sense", path);
  return facts;
}

uint64_t fact_number(const nlohmann::ordered_json& facts, const char* key) {
  const auto found = facts.find(key);
  return found != facts.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

bool fact_flag(const nlohmann::ordered_json& facts, const char* key) {
  const auto found = facts.find(key);
  return found != facts.end() && found->is_boolean() && found->get<bool>();
}

}  // namespace forebay::cli
