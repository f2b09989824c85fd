#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <map>

#include "cli/cluster/cluster.h"
#include "cli/cluster/crew.h"
#include "cli/cluster/node_file.h"
#include "cli/cluster/token.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kStepLimit = 60s;
constexpr auto kComeUpLimit = 120s;   // a daemon that was killed may have a long journal to read
constexpr auto kEndStepLimit = 150s;  // SIGTERM, SIGKILL, 60 s for each
constexpr std::time_t kClockSkew = 60;
constexpr size_t kSecretBytes = 32;

class ClusterStart {
 public:
  ClusterStart(const ClusterOptions& options, Launcher& launcher, const Plan& plan)
      : options_(options), launcher_(launcher), crew_(launcher, plan) {}

  Status run() {
    RETURN_IF_ERROR(launcher_.check_start());
    RETURN_IF_ERROR(settle(crew_.reach(crew_.everyone())));
    RETURN_IF_ERROR(look());
    RETURN_IF_ERROR(judge());
    const Status started = bring_up();
    if (!started) roll_back();
    return started;
  }

 private:
  struct Seen {
    std::vector<std::string> daemons;
    std::string mount;
    std::string config;
    std::string secret;
  };

  // What is there, and whether every node sees the same outside.
  Status look() {
    std::vector<std::string> externals = {options_.external};
    for (const Link& link : crew_.plan().links) {
      if (!link.transient()) externals.push_back(link.external);
    }
    std::vector<ExternalToken> tokens(externals.size());
    std::vector<std::string> paths;
    for (size_t i = 0; i < externals.size(); ++i) {
      RETURN_IF_ERROR(tokens[i].write(externals[i]));
      paths.push_back(tokens[i].path());
    }
    const std::time_t before = std::time(nullptr);
    const auto answers = crew_.ask(
        crew_.everyone(),
        [&](const ClusterNode& node) {
          return json{
              {"do", "look"}, {"mountpoint", node.mountpoint}, {"external", options_.external}, {"tokens", paths}};
        },
        kStepLimit);
    const std::time_t after = std::time(nullptr);
    RETURN_IF_ERROR(settle(answers));
    std::vector<Answer> judged;
    for (size_t i = 0; i < answers.size(); ++i) {
      const json& answer = *answers[i];
      const std::string& name = crew_.node(i).name;
      judged.push_back(answer);
      for (size_t token = 0; token < tokens.size() && judged.back(); ++token) {
        judged.back() = check_token(name, answer, externals[token], token, tokens[token].content());
      }
      const std::time_t clock = answer.at("clock");
      if (clock < before - kClockSkew || clock > after + kClockSkew) {
        print_error(fmt::format("{}: warning: its clock is {} s {}", name, std::abs(clock - after),
                                clock < after ? "behind" : "ahead"));
      }
      std::string secret = answer.value("secret", "");
      while (secret.ends_with('\n')) secret.pop_back();  // as Secret::read() takes it
      seen_.push_back({answer.at("daemons"), answer.at("mount"), answer.value("config", ""), std::move(secret)});
    }
    return settle(judged);
  }

  static Answer check_token(const std::string& name, const json& answer, const std::string& external, size_t index,
                            const std::string& content) {
    const json seen = answer.value("tokens", json::array());
    const json token = index < seen.size() ? seen[index] : json::object();
    if (token.value("content", "") == content) return answer;
    const std::string why = token.value("error", "the file has another content");
    return fail(EINVAL, "{}: does not see the external directory {} as it is here: {}", name, external, why);
  }

  // With one of its own, a node would be refused by all others; it may have the data of another cluster.
  Status check_secrets() const {
    size_t first = 0;
    for (const size_t index : crew_.everyone()) {
      const std::string &secret = seen_[index].secret, &others = seen_[first].secret;
      if (others.empty()) first = index;
      if (secret.empty() || others.empty() || secret == others) continue;
      return fail(EINVAL,
                  "{}: its secret, {}/secret, is not that of {}; is its data of another cluster? Otherwise copy the "
                  "secret from there, or remove it; nothing was changed",
                  crew_.node(index).name, crew_.node(index).directory, crew_.node(first).name);
    }
    return {};
  }

  bool runs(size_t index, Role role) const {
    const auto& daemons = seen_[index].daemons;
    return std::find(daemons.begin(), daemons.end(), role_name(role)) != daemons.end();
  }

  NodeSet without(Role role) const {
    NodeSet nodes;
    for (const size_t index : crew_.everyone()) {
      const auto& roles = crew_.node(index).roles;
      if (std::find(roles.begin(), roles.end(), role) != roles.end() && !runs(index, role)) nodes.push_back(index);
    }
    return nodes;
  }

  NodeSet without_mount() const {
    NodeSet nodes;
    for (const size_t index : crew_.everyone()) {
      if (seen_[index].mount != "ours") nodes.push_back(index);
    }
    return nodes;
  }

  // Whether what runs already lets this cluster start, and be it only its rest.
  Status judge() {
    RETURN_IF_ERROR(check_secrets());
    NodeSet running;
    for (const size_t index : crew_.everyone()) {
      const Seen& seen = seen_[index];
      const ClusterNode& node = crew_.node(index);
      if (seen.mount == "foreign") {
        return fail(EINVAL, "{}: {} is a forebay mount of another directory; nothing was changed", node.name,
                    node.mountpoint);
      }
      if (seen.daemons.empty() && seen.mount != "ours") continue;
      running.push_back(index);
      if (seen.config != config_text(crew_.plan(), node)) {
        return fail(EINVAL, "{}: a cluster runs with another configuration ({}); stop it first; nothing was changed",
                    node.name, node.config_file());
      }
    }
    any_ran_ = !running.empty();
    const auto whole = [this](Role role) { return without(role).empty(); };
    if (std::all_of(std::begin(kRoles), std::end(kRoles), whole) && without_mount().empty()) {
      return fail(EINVAL, "the cluster runs already, on {}; nothing was changed", name_nodes(crew_, running));
    }
    if (any_ran_) {
      print_error(fmt::format("the cluster runs in part, on {}; the rest is started", name_nodes(crew_, running)));
    }
    return {};
  }

  Status bring_up() {
    RETURN_IF_ERROR(launcher_.make_network());
    RETURN_IF_ERROR(prepare());
    for (const Role role : kRoles) {
      RETURN_IF_ERROR(go_on());
      attempted_[role] = without(role);
      RETURN_IF_ERROR(settle(crew_.tell(attempted_[role],
                                        [&](const ClusterNode& node) { return daemon_words(crew_.plan(), node, role); },
                                        {.deadline = kComeUpLimit})));
    }
    RETURN_IF_ERROR(go_on());
    attempted_mounts_ = without_mount();
    return settle(crew_.tell(attempted_mounts_,
                             [&](const ClusterNode& node) { return mount_words(crew_.plan(), node); },
                             {.deadline = kComeUpLimit}));
  }

  // A step is not cut short: what it started on other machines would go on.
  static Status go_on() {
    return interrupted() ? Status(fail(EINVAL, "interrupted; what was started is stopped again")) : Status();
  }

  Result<std::string> secret() const {
    const auto known = std::find_if(seen_.begin(), seen_.end(), [](const Seen& seen) { return !seen.secret.empty(); });
    if (known != seen_.end()) return known->secret;
    return random_hex(kSecretBytes);
  }

  Status prepare() {
    ASSIGN_OR_RETURN(const std::string shared_secret, secret());
    const auto answers = crew_.ask(
        crew_.everyone(),
        [&](const ClusterNode& node) {
          json made = json::array({node.directory + "/target"});
          for (const Role role : node.roles) {
            if (role != Role::kStoraged) made.push_back(fmt::format("{}/{}", node.directory, role_name(role)));
          }
          return json{{"do", "prepare"},
                      {"sockets", node.sockets},
                      {"mountpoint", node.mountpoint},
                      {"config", config_text(crew_.plan(), node)},
                      {"made", std::move(made)}};
        },
        kStepLimit, shared_secret);
    for (size_t i = 0; i < answers.size(); ++i) {
      if (answers[i] && answers[i]->value("made_mountpoint", false)) made_mountpoints_.push_back(i);
    }
    return settle(answers);
  }

  // Only what this start has begun. What fails here is told, and the rest is done all the same.
  void roll_back() {
    take_mounts_away();
    for (auto role = std::rbegin(kRoles); role != std::rend(kRoles); ++role)
      end_role(role_name(*role), attempted_[*role]);
    tell_failure(settle(crew_.ask(
        made_mountpoints_,
        [](const ClusterNode& node) {
          return json{{"do", "remove"}, {"mountpoint", node.mountpoint}};
        },
        kStepLimit)));
    if (!any_ran_) tell_failure(launcher_.remove_network());
  }

  // One that cannot flush any more is killed: what was written into it stays in the cache.
  void take_mounts_away() {
    const auto unmount_all = [this](const NodeSet& nodes) {
      const auto answers =
          crew_.tell(nodes,
                     [&](const ClusterNode& node) {
                       return std::vector<std::string>{crew_.plan().program, "unmount", node.mountpoint};
                     },
                     {.deadline = kStepLimit});
      NodeSet left;
      for (size_t i = 0; i < nodes.size(); ++i) {
        if (!answers[i]) left.push_back(nodes[i]);
      }
      return left;
    };
    const NodeSet left = unmount_all(attempted_mounts_);
    end_role("mount", left);
    unmount_all(left);
  }

  void end_role(std::string_view role, const NodeSet& nodes) {
    tell_failure(settle(crew_.ask(
        nodes,
        [&](const ClusterNode&) {
          return json{{"do", "end"}, {"role", role}, {"kill", true}};
        },
        kEndStepLimit)));
  }

  static void tell_failure(const Status& status) {
    if (!status) print_error(error_text(status.error()));
  }

  const ClusterOptions& options_;
  Launcher& launcher_;
  const Crew crew_;
  std::vector<Seen> seen_;
  bool any_ran_ = false;
  std::map<Role, NodeSet> attempted_;
  NodeSet attempted_mounts_;
  NodeSet made_mountpoints_;
};

}  // namespace

Status start_cluster(ClusterOptions options) {
  RETURN_IF_ERROR(resolve_cluster_paths(options));
  ASSIGN_OR_RETURN(const auto hosts, read_node_file(options.node_file));
  ASSIGN_OR_RETURN(const auto launcher, make_launcher(options.launcher, hosts, options.data));
  ASSIGN_OR_RETURN(Plan plan, make_plan(options, hosts, launcher->one_machine()));
  RETURN_IF_ERROR(add_addresses(plan, *launcher));
  RETURN_IF_ERROR(ClusterStart(options, *launcher, plan).run());
  if (::isatty(STDOUT_FILENO) == 1) {
    fmt::print("{} is mounted on {} node{}, at {}\n", one_line(options.external), hosts.size(),
               hosts.size() == 1 ? "" : "s", one_line(plan.nodes.front().mountpoint));
  }
  return {};
}

}  // namespace forebay::cli
