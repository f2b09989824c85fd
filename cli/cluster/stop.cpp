#include <unistd.h>

#include <algorithm>

#include "cli/cluster/cluster.h"
#include "cli/cluster/crew.h"
#include "cli/cluster/node_file.h"
#include "cli/output.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kLookLimit = 60s;
constexpr auto kEndLimitOfNode = 90s;  // the node itself waits 60 s
constexpr auto kPurgeLimit = 3600s;    // a file system full of small files

class ClusterStop {
 public:
  ClusterStop(const ClusterOptions& options, Launcher& launcher, const Plan& plan)
      : options_(options), launcher_(launcher), crew_(launcher, plan) {}

  Status run() {
    RETURN_IF_ERROR(look());
    if (running_.empty() && mounted_.empty()) {
      if (away_ == 0) print_error("the cluster does not run; nothing was left to stop");
    } else {
      RETURN_IF_ERROR(unmount_clients());
      for (auto role = std::rbegin(kRoles); role != std::rend(kRoles); ++role) RETURN_IF_ERROR(end_role(*role));
    }
    RETURN_IF_ERROR(launcher_.remove_network());
    if (options_.purge) RETURN_IF_ERROR(purge());
    if (away_ > 0) return fail(EINVAL, "{} node{} could not be asked (see above)", away_, away_ == 1 ? "" : "s");
    return {};
  }

 private:
  // A node that is away may have data that is not outside yet; nothing is stopped behind its back.
  Status look() {
    const auto reached = crew_.reach(crew_.everyone());
    for (size_t i = 0; i < reached.size(); ++i) {
      if (reached[i]) {
        nodes_.push_back(i);
      } else {
        ++away_;
      }
    }
    if (const Status all = settle(reached); !all) {
      if (!options_.discard) return fail(all.error().code, "{}; nothing was stopped", all.error().context);
      print_error(error_text(all.error()));
    }
    const auto answers = crew_.ask(
        nodes_,
        [](const ClusterNode& node) {
          return json{{"do", "look"}, {"mountpoint", node.mountpoint}};
        },
        kLookLimit);
    if (const Status all = settle(answers); !all) {
      return fail(all.error().code, "{}; nothing was stopped", all.error().context);
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!answers[i]->at("daemons").empty()) running_.push_back(nodes_[i]);
      const std::string mount = answers[i]->at("mount");
      if (mount == "ours" || mount == "dead") mounted_.push_back(nodes_[i]);
      if (mount == "dead") dead_.push_back(nodes_[i]);
    }
    return {};
  }

  Status unmount_clients() {
    const auto answers = crew_.tell(
        mounted_,
        [this](const ClusterNode& node) {
          std::vector<std::string> words = {crew_.plan().program, "unmount"};
          if (options_.discard) words.push_back("--discard");
          words.push_back(node.mountpoint);
          return words;
        },
        {.deadline = std::nullopt, .interruptible = true});  // it takes as long as there is data to bring out
    size_t failed = 0;
    for (size_t i = 0; i < mounted_.size(); ++i) {
      if (answers[i]) continue;
      print_error(error_text(answers[i].error()));
      // It is unmounted now; whoever says --discard knows what that gives up.
      const bool was_dead = std::find(dead_.begin(), dead_.end(), mounted_[i]) != dead_.end();
      if (!was_dead || !options_.discard) ++failed;
    }
    if (failed == 0) return {};
    return fail(EINVAL, "{} of {} clients could not be flushed and unmounted; all daemons go on", failed,
                mounted_.size());
  }

  // Also on nodes that had another part in an earlier start.
  Status end_role(Role role) {
    return settle(crew_.ask(
        running_,
        [&](const ClusterNode&) {
          return json{{"do", "end"}, {"role", role_name(role)}};
        },
        kEndLimitOfNode));
  }

  // Only when this command saw every client go: what another left in the cache may be the only copy.
  Status purge() {
    if (!options_.discard && mounted_.size() < crew_.plan().nodes.size()) {
      const auto missing = std::find_if(nodes_.begin(), nodes_.end(), [this](size_t index) {
        return std::find(mounted_.begin(), mounted_.end(), index) == mounted_.end();
      });
      return fail(
          EINVAL,
          "--purge: {}: was not mounted, so it is not known whether all its data is outside; nothing was removed; "
          "--discard removes it all the same",
          crew_.node(*missing).name);
    }
    return settle(crew_.ask(
        nodes_,
        [](const ClusterNode& node) {
          return json{{"do", "purge"}, {"sockets", node.sockets}};
        },
        kPurgeLimit));
  }

  const ClusterOptions& options_;
  Launcher& launcher_;
  const Crew crew_;
  NodeSet nodes_;    // that answer
  NodeSet running_;  // with daemons
  NodeSet mounted_;
  NodeSet dead_;  // of these, those whose process is gone
  size_t away_ = 0;
};

}  // namespace

Status stop_cluster(ClusterOptions options) {
  RETURN_IF_ERROR(resolve_cluster_paths(options));
  ASSIGN_OR_RETURN(const auto hosts, read_node_file(options.node_file));
  ASSIGN_OR_RETURN(const auto launcher, make_launcher(options.launcher, hosts, options.data));
  ASSIGN_OR_RETURN(const Plan plan, make_plan(options, hosts, launcher->one_machine()));
  return ClusterStop(options, *launcher, plan).run();
}

}  // namespace forebay::cli
