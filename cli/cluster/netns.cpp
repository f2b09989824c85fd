#include "cli/cluster/netns.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <filesystem>

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr char kNamespaces[] = "/run/netns";
constexpr char kBridge[] = "br0";
constexpr char kHostInterface[] = "eth0";
constexpr size_t kMostNetnsHosts = 254;
constexpr auto kIpLimit = 30s;

std::string namespace_path(const std::string& name) { return fmt::format("{}/{}", kNamespaces, name); }

// A plain file is what is left of a namespace that was unmounted by hand or by a reboot.
bool is_namespace(const std::string& name) {
  struct statfs facts {};
  return ::statfs(namespace_path(name).c_str(), &facts) == 0 && facts.f_type == NSFS_MAGIC;
}

Outcome run_ip(std::vector<std::string> words) {
  words.insert(words.begin(), "ip");
  return run_many({{std::move(words), ""}}, {.deadline = kIpLimit}).front();
}

Status ip(const std::vector<std::string>& words) {
  const Outcome outcome = run_ip(words);
  if (outcome.ok()) return {};
  return fail(EINVAL, "{}: {}", shell_line(words).insert(0, "ip "), outcome.err.substr(0, outcome.err.find('\n')));
}

Status ensure_namespace(const std::string& name) {
  if (!is_namespace(name)) {
    ::unlink(namespace_path(name).c_str());
    RETURN_IF_ERROR(ip({"netns", "add", name}));
  }
  return ip({"-n", name, "link", "set", "lo", "up"});
}

bool has_interface(const std::string& name, const std::string& interface) {
  return run_ip({"-n", name, "link", "show", "dev", interface}).ok();
}

class NetnsLauncher : public Launcher {
 public:
  NetnsLauncher(const std::vector<std::string>& hosts, const std::string& data)
      : hosts_(hosts), names_(NetnsNames::of(data)) {}

  std::string_view name() const override { return "netns"; }
  bool one_machine() const override { return true; }

  Result<std::string> address_of(const std::string& host) const override {
    const auto found = std::find(hosts_.begin(), hosts_.end(), host);
    if (found == hosts_.end()) return fail(EINVAL, "{}: not in the node file", host);
    return names_.address(static_cast<size_t>(found - hosts_.begin()));
  }

  // What is there and right stays: daemons that run may use it.
  Status make_network() override {
    const std::string& bridge = names_.bridge_namespace;
    RETURN_IF_ERROR(ensure_namespace(bridge));
    if (!has_interface(bridge, kBridge)) RETURN_IF_ERROR(ip({"-n", bridge, "link", "add", kBridge, "type", "bridge"}));
    RETURN_IF_ERROR(ip({"-n", bridge, "link", "set", kBridge, "up"}));
    for (const std::string& host : hosts_) RETURN_IF_ERROR(connect_host(host));
    return {};
  }

  // Also the hosts that were in the node file when it was made.
  Status remove_network() override {
    std::vector<std::string> found;
    std::error_code ignored;  // no directory: no namespaces
    for (const auto& entry : fs::directory_iterator(kNamespaces, ignored)) {
      const std::string name = entry.path().filename();
      if (name == names_.bridge_namespace || name.starts_with(names_.host_namespace(""))) found.push_back(name);
    }
    Status removed;
    for (const std::string& name : found) {
      if (const Status status = ip({"netns", "delete", name}); !status) removed = status;
    }
    return removed;
  }

 protected:
  // Only the network is another: `ip netns exec` would hide mounts from the caller. Where there is no namespace (yet,
  // or after a reboot), everything else can be looked at all the same.
  Invocation wrap(const NodeCommand& command) const override {
    Invocation invocation{command.words, command.input};
    const std::string name = names_.host_namespace(command.host);
    if (is_namespace(name)) {
      invocation.words.insert(invocation.words.begin(), {"nsenter", "--net=" + namespace_path(name)});
    }
    return invocation;
  }

 private:
  Status connect_host(const std::string& host) const {
    const std::string name = names_.host_namespace(host);
    const std::string& bridge = names_.bridge_namespace;
    ASSIGN_OR_RETURN(const std::string number, address_of(host));
    const std::string address = number + "/24";
    RETURN_IF_ERROR(ensure_namespace(name));
    const std::string port = port_of(host);
    // An end whose other end went with its namespace may be there for a moment still.
    if (is_connected(name, address) && has_interface(bridge, port)) return {};
    // One end of a pair takes the other with it, wherever it is.
    (void)run_ip({"-n", name, "link", "delete", kHostInterface});
    (void)run_ip({"-n", bridge, "link", "delete", port});
    RETURN_IF_ERROR(
        ip({"-n", bridge, "link", "add", port, "type", "veth", "peer", "name", kHostInterface, "netns", name}));
    RETURN_IF_ERROR(ip({"-n", bridge, "link", "set", port, "master", kBridge, "up"}));
    RETURN_IF_ERROR(ip({"-n", name, "address", "add", address, "dev", kHostInterface}));
    return ip({"-n", name, "link", "set", kHostInterface, "up"});
  }

  static bool is_connected(const std::string& name, const std::string& address) {
    const Outcome shown = run_ip({"-n", name, "-o", "-4", "address", "show", "dev", kHostInterface, "up"});
    return shown.ok() && shown.out.find(" " + address + " ") != std::string::npos;
  }

  // An interface's name has at most 15 characters.
  static std::string port_of(const std::string& host) {
    return fmt::format("p{:08x}", static_cast<uint32_t>(XXH64(host.data(), host.size(), 0)));
  }

  const std::vector<std::string> hosts_;
  const NetnsNames names_;
};

}  // namespace

NetnsNames NetnsNames::of(const std::string& data) {
  const uint64_t hash = XXH64(data.data(), data.size(), 0);
  return {fmt::format("fb-{:08x}", static_cast<uint32_t>(hash)), fmt::format("10.99.{}.", hash >> 56)};
}

Result<std::unique_ptr<Launcher>> make_netns_launcher(const std::vector<std::string>& hosts, const std::string& data) {
  if (::geteuid() != 0) return fail(EPERM, "--launcher netns: namespaces are made by root");
  if (hosts.size() > kMostNetnsHosts) {
    return fail(EINVAL, "--launcher netns: at most {} hosts; the node file has {}", kMostNetnsHosts, hosts.size());
  }
  return std::make_unique<NetnsLauncher>(hosts, data);
}

}  // namespace forebay::cli
