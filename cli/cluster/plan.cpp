#include "cli/cluster/plan.h"

#include <xxhash.h>

#include <algorithm>
#include <filesystem>

#include "cli/link_options.h"
#include "core/protocol/mgmt_service.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestSocket = 107;  // sun_path, with its end
constexpr char kShortSockets[] = "/run/forebay";
constexpr std::string_view kLongestSocketName = "/storaged.sock";

constexpr int kMgmtdPort = 7700;
constexpr int kMetadPort = 7701;
constexpr int kStoragedPort = 7702;

// The separator of lists in the configuration, and what no line can hold.
bool has_bad_letter(std::string_view path) {
  return std::any_of(path.begin(), path.end(), [](unsigned char c) { return c == ',' || c < 0x20 || c == 0x7f; });
}

Status resolve_cluster_path(std::string_view option, std::string& path) {
  if (path.empty()) return fail(EINVAL, "{}: an empty path", option);
  std::error_code error;
  fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (error) return fail(error.value(), "{} {}", option, path);
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  if (absolute == "/") return fail(EINVAL, "{} {}: give a directory below /", option, path);
  if (has_bad_letter(absolute.native())) {
    return fail(EINVAL, "{} {}: a path with commas or control characters cannot be used", option, path);
  }
  path = absolute;
  return {};
}

bool is_inside(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

std::string toml_string(std::string_view text) {
  std::string quoted_text = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted_text += '\\';
    quoted_text += c;
  }
  return quoted_text + "\"";
}

std::string socket_directory(const std::string& directory) {
  if (directory.size() + kLongestSocketName.size() <= kLongestSocket) return directory;
  return fmt::format("{}/{:016x}", kShortSockets, XXH64(directory.data(), directory.size(), 0));
}

void add_settings(const Plan& plan, std::vector<std::string>& words) {
  for (const std::string& setting : plan.settings) {
    words.push_back("--set");
    words.push_back(setting);
  }
}

bool has_role(const ClusterNode& node, Role role) {
  return std::find(node.roles.begin(), node.roles.end(), role) != node.roles.end();
}

// Of resolve_cluster_paths().
bool is_external(std::string_view option) { return option == "-l" || option.starts_with("--link"); }

bool is_loopback(std::string_view address) { return address.starts_with("127.") || address == "[::1]"; }

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kMgmtd:
      return "mgmtd";
    case Role::kMetad:
      return "metad";
    case Role::kStoraged:
      break;
  }
  return "storaged";
}

Status resolve_cluster_paths(ClusterOptions& options) {
  struct Path {
    std::string option;
    std::string* path;
  };
  std::vector<Path> paths = {{"-d", &options.data}, {"-c", &options.mount}};
  if (!options.external.empty()) paths.push_back({"-l", &options.external});
  ASSIGN_OR_RETURN(std::vector<Link> links, parse_link_options(options.links, options.transients));
  for (Link& link : links) {
    if (!link.transient()) paths.push_back({"--link " + link.directory + "=", &link.external});
  }
  for (const Path& path : paths) RETURN_IF_ERROR(resolve_cluster_path(path.option, *path.path));
  for (const Path& a : paths) {
    for (const Path& b : paths) {
      if (a.path == b.path || !is_inside(*a.path, *b.path)) continue;
      if (is_external(a.option) && is_external(b.option)) continue;  // a part of it again, at another place
      return fail(EINVAL, "{} {} is inside {} {}; choose another directory", a.option, *a.path, b.option, *b.path);
    }
  }
  return {};
}

Result<Plan> make_plan(const ClusterOptions& options, const std::vector<std::string>& hosts, bool one_machine) {
  if (options.metads < 1 || options.metads > hosts.size()) {
    return fail(EINVAL, "--metad {}: the node file has {} host{}", options.metads, hosts.size(),
                hosts.size() == 1 ? "" : "s");
  }
  if (options.metads > kMostMetads) return fail(EINVAL, "--metad {}: {} at most", options.metads, kMostMetads);
  ASSIGN_OR_RETURN(std::vector<Link> links, parse_link_options(options.links, options.transients));
  Plan plan{{}, options.external, options.program, options.settings, std::move(links), options.metads};
  for (const std::string& host : hosts) {
    const std::string below = one_machine ? "/" + host : "";
    ClusterNode node{.name = host, .directory = options.data + below, .mountpoint = options.mount + below};
    // The name counts, too: without it two nodes on one machine could meet.
    node.sockets = socket_directory(node.directory);
    const size_t index = plan.nodes.size();
    if (index == 0) node.roles.push_back(Role::kMgmtd);
    if (index < options.metads) node.roles.push_back(Role::kMetad);
    node.roles.push_back(Role::kStoraged);
    plan.nodes.push_back(std::move(node));
  }
  return plan;
}

Status add_addresses(Plan& plan, const Launcher& launcher) {
  for (ClusterNode& node : plan.nodes) {
    ASSIGN_OR_RETURN(node.address, launcher.address_of(node.name));
    if (plan.nodes.size() > 1 && is_loopback(node.address)) {
      return fail(EINVAL,
                  "{}: its name means {} here, which no other node reaches; write its address into the node file, or "
                  "mend /etc/hosts",
                  node.name, node.address);
    }
  }
  return {};
}

std::string config_text(const Plan& plan, const ClusterNode& node) {
  const auto line = [](std::string_view key, const std::string& value) {
    return fmt::format("{} = {}\n", key, toml_string(value));
  };
  const std::string manager = fmt::format("{}:{}", plan.nodes.front().address, kMgmtdPort);
  const auto listen = [&](int port, std::string_view name) {
    return line("listen", fmt::format("{}:{},unix:{}/{}.sock", node.address, port, node.sockets, name));
  };
  std::string text = "# Written by forebay cluster start; --set changes it for one start.\n[cluster]\n";
  text += line("name", node.name) + line("mgmtd", manager) + line("secret_file", node.directory + "/secret") +
          line("external", plan.external);
  if (has_role(node, Role::kMgmtd)) {
    const Config::Links links = links_config(plan.links);
    if (!plan.links.empty()) {
      text += "\n[links]\n" + line("external", links.external) + line("transient", links.transient);
    }
    text += "\n[mgmtd]\n" + line("listen", manager) + line("data", node.directory + "/mgmtd");
    if (plan.metads > 1) text += fmt::format("metads = {}\n", plan.metads);
  }
  if (has_role(node, Role::kMetad)) {
    text += "\n[metad]\n" + listen(kMetadPort, "metad") + line("data", node.directory + "/metad");
  }
  text += "\n[storaged]\n" + listen(kStoragedPort, "storaged") + line("targets", node.directory + "/target");
  return text;
}

std::vector<std::string> daemon_words(const Plan& plan, const ClusterNode& node, Role role) {
  std::vector<std::string> words = {plan.program, std::string(role_name(role)), "--config", node.config_file()};
  add_settings(plan, words);
  return words;
}

std::vector<std::string> mount_words(const Plan& plan, const ClusterNode& node) {
  std::vector<std::string> words = {plan.program,    "mount",    plan.external,
                                    node.mountpoint, "--config", node.config_file()};
  add_settings(plan, words);
  return words;
}

}  // namespace forebay::cli
