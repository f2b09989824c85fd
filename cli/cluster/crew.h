// The nodes of a plan, all at once: what they are asked and told, and what went wrong where.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/cluster/launcher.h"
#include "cli/cluster/plan.h"
#include "core/result.h"

namespace forebay::cli {

// By their places in the plan.
using NodeSet = std::vector<size_t>;

// The answer of one node, or its error, which begins with the name of the node.
using Answer = Result<nlohmann::json>;

class Crew {
 public:
  // Both outlive this.
  Crew(const Launcher& launcher, const Plan& plan) : launcher_(launcher), plan_(plan) {}

  NodeSet everyone() const;
  const ClusterNode& node(size_t index) const { return plan_.nodes[index]; }
  const Plan& plan() const { return plan_; }

  // Whether commands can be run there at all.
  std::vector<Answer> reach(const NodeSet& nodes) const;

  // A request of on_node.h, to which "directory" is added.
  using RequestFor = std::function<nlohmann::json(const ClusterNode&)>;
  std::vector<Answer> ask(const NodeSet& nodes, const RequestFor& request, std::chrono::seconds limit,
                          const std::string& input = "") const;

  // Any command. Its output is dropped; the answer is null.
  using WordsFor = std::function<std::vector<std::string>(const ClusterNode&)>;
  std::vector<Answer> tell(const NodeSet& nodes, const WordsFor& words, const RunLimits& limits) const;

 private:
  std::vector<Outcome> run(const NodeSet& nodes, const WordsFor& words, const std::string& input,
                           const RunLimits& limits) const;

  const Launcher& launcher_;
  const Plan& plan_;
};

// One line of all that a program said on stderr, without our own prefix and what the launchers add to each failure.
std::string what_it_said(const Outcome& outcome);

// The errors, one for each node; of more than one, all but the last are printed.
Status settle(const std::vector<Answer>& answers);

// "node01, node02 and 7 more nodes"
std::string name_nodes(const Crew& crew, const NodeSet& nodes);

}  // namespace forebay::cli
