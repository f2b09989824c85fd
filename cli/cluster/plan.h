// What shall run where: worked out from the command line alone, before anything is touched.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cluster/launcher.h"
#include "core/links.h"
#include "core/result.h"

namespace forebay::cli {

enum class Role { kMgmtd, kMetad, kStoraged };
inline constexpr Role kRoles[] = {Role::kMgmtd, Role::kStoraged, Role::kMetad};  // in the order of starting

std::string_view role_name(Role role);

struct ClusterOptions {
  std::string node_file;
  std::string data;
  std::string mount;
  std::string external;
  std::string launcher = "ssh";
  std::string program;  // empty: this one
  size_t metads = 1;
  std::vector<std::string> links, transients;  // as given
  std::vector<std::string> settings;
  bool discard = false;
  bool purge = false;
};

struct ClusterNode {
  std::string name;
  std::string address;    // an IPv6 number in brackets
  std::string directory;  // of all that is this node's
  std::string sockets;    // the directory of Unix sockets
  std::string mountpoint;
  std::vector<Role> roles;

  std::string config_file() const { return directory + "/forebay.toml"; }
};

struct Plan {
  std::vector<ClusterNode> nodes;  // as in the node file
  std::string external;
  std::string program;
  std::vector<std::string> settings;
  std::vector<Link> links;
  size_t metads = 1;
};

// Absolute, without "." and "..", and judged: EINVAL for "/", for one inside another, and for paths that a
// configuration cannot hold.
Status resolve_cluster_paths(ClusterOptions& options);

// `options` resolved; the nodes without addresses. EINVAL for more metads than nodes.
Result<Plan> make_plan(const ClusterOptions& options, const std::vector<std::string>& hosts, bool one_machine);

// Asks the launcher for all addresses. EINVAL for a name that has none, and for one that only its own machine reaches.
Status add_addresses(Plan& plan, const Launcher& launcher);

// forebay.toml of a node.
std::string config_text(const Plan& plan, const ClusterNode& node);

// The words that start a daemon, or the mount, on a node.
std::vector<std::string> daemon_words(const Plan& plan, const ClusterNode& node, Role role);
std::vector<std::string> mount_words(const Plan& plan, const ClusterNode& node);

}  // namespace forebay::cli
