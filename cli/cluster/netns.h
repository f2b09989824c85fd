// The launcher netns: a whole cluster on one machine, each host a network namespace. For trying out and for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/cluster/launcher.h"
#include "core/result.h"

namespace forebay::cli {

// The names and numbers of one such cluster. The bridge lies in a namespace of its own, so that nothing else on the
// machine is touched; and all names begin with a hash of the data directory, so that clusters do not touch each other.
struct NetnsNames {
  std::string bridge_namespace;  // "fb-1a2b3c4d"
  std::string subnet;            // "10.99.77."

  static NetnsNames of(const std::string& data);
  std::string host_namespace(const std::string& host) const { return bridge_namespace + "-" + host; }
  // The i-th host, from 0.
  std::string address(size_t index) const { return subnet + std::to_string(index + 1); }
};

// EPERM unless root; EINVAL for more hosts than the subnet has.
Result<std::unique_ptr<Launcher>> make_netns_launcher(const std::vector<std::string>& hosts, const std::string& data);

}  // namespace forebay::cli
