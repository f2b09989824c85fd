// The launcher pdsh.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/cluster/launcher.h"

namespace forebay::cli {

// pdsh gives the commands on the nodes no stdin. What they shall read goes there before, by pdcp, as a file that only
// its owner can read and that is removed as soon as it is open: never as an argument, which everybody sees in ps.
class PdshLauncher : public Launcher {
 public:
  std::string_view name() const override { return "pdsh"; }
  std::vector<Outcome> run(const std::vector<NodeCommand>& commands, const RunLimits& limits) const override;

 protected:
  Invocation wrap(const NodeCommand& command) const override;
};

}  // namespace forebay::cli
