#include "cli/cluster/on_node.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "cachefs/mount_table.h"
#include "cli/cluster/daemon_process.h"
#include "cli/cluster/plan.h"
#include "core/io.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMostSmall = 1 << 20;
constexpr std::chrono::seconds kEndLimit{60};

Result<std::string> read_small(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("{}", path);
  std::string text(kMostSmall, '\0');
  ASSIGN_OR_RETURN(const size_t got, pread_full(file.get(), text.data(), text.size(), 0));
  text.resize(got);
  return text;
}

// Readers see the old content or the new one, also after a power cut.
Status write_small(const std::string& path, const std::string& content, mode_t mode) {
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());  // of a run that was killed
  const UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file) return fail_errno("{}", fresh);
  RETURN_IF_ERROR(pwrite_full(file.get(), content.data(), content.size(), 0));
  if (::fsync(file.get()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno("{}", path);
  return {};
}

Status make_directories(const std::string& path, mode_t mode) {
  std::error_code error;
  const bool made = fs::create_directories(path, error);
  if (error) return fail(error.value(), "{}", path);
  if (!fs::is_directory(path, error)) return fail(ENOTDIR, "{}", path);
  if (made && ::chmod(path.c_str(), mode) != 0) return fail_errno("{}", path);
  return {};
}

// Without `external`, a mount is ours where a cluster was started.
Result<std::string> mount_state(const std::string& mountpoint, const std::string& external,
                                const std::string& directory) {
  const auto path = cachefs::resolve_path(mountpoint);
  if (!path) return std::string("none");
  ASSIGN_OR_RETURN(const auto table, cachefs::read_mount_table());
  const auto entry = cachefs::find_mount_at(table, *path);
  if (!entry || entry->type != cachefs::kMountType) return std::string("none");
  if (cachefs::is_dead_mount(*path)) return std::string("dead");
  const auto real = cachefs::resolve_path(external);
  std::error_code ignored;
  const bool ours = external.empty() ? fs::exists(directory + "/forebay.toml", ignored)
                                     : entry->source == external || (real && entry->source == *real);
  return std::string(ours ? "ours" : "foreign");
}

Result<json> look_here(const json& request) {
  const std::string directory = request.at("directory");
  json answer = {{"clock", ::time(nullptr)}, {"daemons", json::array()}};
  for (const Role role : kRoles) {
    if (find_daemon(directory, role_name(role))) answer["daemons"].push_back(role_name(role));
  }
  ASSIGN_OR_RETURN(answer["mount"], mount_state(request.at("mountpoint"), request.value("external", ""), directory));
  if (auto config = read_small(directory + "/forebay.toml")) answer["config"] = *std::move(config);
  if (auto secret = read_small(directory + "/secret")) answer["secret"] = *std::move(secret);
  for (const std::string path : request.value("tokens", json::array())) {
    const auto token = read_small(path);
    answer["tokens"].push_back({{token ? "content" : "error", token ? *token : token.error().message()}});
  }
  return answer;
}

Result<json> prepare_here(const json& request, const std::string& secret) {
  constexpr mode_t kPrivate = 0700;  // copies of files that not everybody may read
  const std::string directory = request.at("directory");
  const std::string mountpoint = request.at("mountpoint");
  RETURN_IF_ERROR(make_directories(directory, kPrivate));
  RETURN_IF_ERROR(make_directories(request.at("sockets"), kPrivate));
  for (const std::string path : request.at("made")) RETURN_IF_ERROR(make_directories(path, kPrivate));
  // Of what is mounted there nothing is asked: it may wait for a server that is about to be started.
  const auto path = cachefs::resolve_path(mountpoint);
  const bool there = path || path.error().code != ENOENT;
  if (!there) RETURN_IF_ERROR(make_directories(mountpoint, 0755));
  if (const auto old = read_small(directory + "/secret"); !old || *old != secret) {
    RETURN_IF_ERROR(write_small(directory + "/secret", secret, 0600));
  }
  RETURN_IF_ERROR(write_small(directory + "/forebay.toml", request.at("config"), 0644));
  return json{{"made_mountpoint", !there}};
}

Result<json> end_here(const json& request) {
  const std::string directory = request.at("directory");
  const std::string role = request.at("role");
  const bool kill = request.value("kill", false);
  std::vector<DaemonProcess> daemons;
  if (kill) {
    daemons = find_all_daemons(directory, role);
  } else if (auto daemon = find_daemon(directory, role)) {
    daemons.push_back(*std::move(daemon));
  }
  for (const DaemonProcess& daemon : daemons) RETURN_IF_ERROR(end_daemon(daemon, role, kEndLimit, kill));
  // Removed by the daemon itself, unless it was killed.
  if (!daemons.empty()) ::unlink(fmt::format("{}/{}.pid", directory, role).c_str());
  return json::object();
}

Result<json> remove_here(const json& request) {
  const std::string mountpoint = request.at("mountpoint");
  if (::rmdir(mountpoint.c_str()) != 0 && errno != ENOENT) return fail_errno("{}", mountpoint);
  return json::object();
}

// Only what the launcher made: a slip in -d must not cost anybody a directory.
Result<json> purge_here(const json& request) {
  const std::string directory = request.at("directory");
  std::error_code error;
  if (!fs::exists(directory, error)) return json::object();
  if (!fs::exists(directory + "/forebay.toml", error)) {
    return fail(EINVAL, "{}: there is no forebay.toml in it, so it is not removed", directory);
  }
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().filename() != "forebay.toml") fs::remove_all(entry.path(), error);
    if (error) return fail(error.value(), "{}", entry.path().native());
  }
  if (error) return fail(error.value(), "{}", directory);
  fs::remove(directory + "/forebay.toml", error);
  if (::rmdir(directory.c_str()) != 0 && errno != EBUSY)
    return fail_errno("{}", directory);  // a file system's root stays
  if (const std::string sockets = request.at("sockets"); sockets != directory) fs::remove_all(sockets, error);
  return json::object();
}

}  // namespace

Result<json> serve_on_node(const json& request, const std::string& input) {
  try {
    const std::string what = request.at("do");
    if (what == "look") return look_here(request);
    if (what == "prepare") return prepare_here(request, input);
    if (what == "end") return end_here(request);
    if (what == "remove") return remove_here(request);
    if (what == "purge") return purge_here(request);
    return fail(EINVAL, "\"{}\" is unknown here: the forebay programs of the nodes differ", what);
  } catch (const json::exception& error) {
    return fail(EINVAL, "the request cannot be read ({}): the forebay programs of the nodes differ", error.what());
  }
}

}  // namespace forebay::cli
