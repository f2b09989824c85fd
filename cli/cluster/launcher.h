// Launchers: how a command is run on the hosts of a cluster.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cluster/run_many.h"
#include "core/result.h"

namespace forebay::cli {

struct NodeCommand {
  std::string host;
  std::vector<std::string> words;
  std::string input;  // for its stdin
};

class Launcher {
 public:
  virtual ~Launcher() = default;

  virtual std::string_view name() const = 0;

  // Runs each command on its host, side by side; the outcomes are in the same order.
  virtual std::vector<Outcome> run(const std::vector<NodeCommand>& commands, const RunLimits& limits) const;

  // What the other hosts reach a host by: a number. EINVAL, with what is wrong.
  virtual Result<std::string> address_of(const std::string& host) const;

  // True if all hosts are this machine, so that each needs a directory and a mountpoint of its own.
  virtual bool one_machine() const { return false; }

  // Whether it can start daemons that stay. EINVAL, with why not.
  virtual Status check_start() const { return {}; }

  // Makes what is missing of the network between the hosts, and takes it away. Most launchers find one.
  virtual Status make_network() { return {}; }
  virtual Status remove_network() { return {}; }

 protected:
  // What runs here, so that the command runs there.
  virtual Invocation wrap(const NodeCommand& command) const = 0;
};

// `name` is "ssh", "pdsh", "srun" or "netns"; `data` tells one cluster of netns from another. EINVAL; EPERM for netns
// without root.
Result<std::unique_ptr<Launcher>> make_launcher(std::string_view name, const std::vector<std::string>& hosts,
                                                const std::string& data);

// What ssh is told besides a person's own settings: to ask nothing, not to wait long for who is away, and to say only
// what fails, not how a host greets.
inline constexpr std::string_view kSshSettings[] = {"BatchMode=yes", "ConnectTimeout=10", "LogLevel=ERROR"};

// The words as one line for sh, which makes exactly these words of it again.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace forebay::cli
