#include "cli/cluster/crew.h"

#include <numeric>

#include "cli/output.h"

namespace forebay::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kReachLimit{15};
constexpr size_t kMostSaid = 500;
constexpr size_t kMostErrorLines = 20;
constexpr size_t kMostNames = 3;

Failure node_failure(const ClusterNode& node, const Outcome& outcome, const RunLimits& limits) {
  if (outcome.interrupted) return fail(EINTR, "{}", node.name);
  if (outcome.timed_out) {
    const std::string said = what_it_said(outcome);
    return fail(EINVAL, "{}: no answer within {} s{}{}", node.name, limits.deadline->count(), said.empty() ? "" : ": ",
                said);
  }
  const std::string said = what_it_said(outcome);
  if (said.empty()) return fail(EINVAL, "{}: failed without a word (exit status {})", node.name, outcome.exit_status);
  return fail(EINVAL, "{}: {}", node.name, said);
}

// Without those that are empty.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

// What the launchers say of each command that failed, before or after what the command itself said.
bool is_added(std::string_view line) { return line.starts_with("pdsh@") || line.starts_with("srun: "); }

// The last line of an output that is an object, or ends in one: what a shell of the node says when it begins comes
// before it, and a launcher may put the number of a task in front. Null when there is none.
json object_in(std::string_view output) {
  json last;
  for (const std::string_view line : lines_of(output)) {
    const size_t begin = line.find('{');
    if (begin == line.npos) continue;
    json object = json::parse(line.substr(begin), nullptr, false);
    if (object.is_object()) last = std::move(object);
  }
  return last;
}

}  // namespace

std::string what_it_said(const Outcome& outcome) {
  std::string said, added;
  for (std::string_view line : lines_of(outcome.err)) {
    if (line.starts_with("forebay: ")) line.remove_prefix(std::string_view("forebay: ").size());
    std::string& text = is_added(line) ? added : said;
    text += (text.empty() ? "" : "; ") + std::string(line);
  }
  if (said.empty()) said = std::move(added);
  // What is said last is what it failed of.
  if (said.size() > kMostSaid) said = "..." + said.substr(said.size() - kMostSaid);
  return said;
}

NodeSet Crew::everyone() const {
  NodeSet nodes(plan_.nodes.size());
  std::iota(nodes.begin(), nodes.end(), size_t{0});
  return nodes;
}

std::vector<Outcome> Crew::run(const NodeSet& nodes, const WordsFor& words, const std::string& input,
                               const RunLimits& limits) const {
  std::vector<NodeCommand> commands;
  commands.reserve(nodes.size());
  for (const size_t index : nodes) commands.push_back({node(index).name, words(node(index)), input});
  return launcher_.run(commands, limits);
}

std::vector<Answer> Crew::reach(const NodeSet& nodes) const {
  const RunLimits limits{.deadline = kReachLimit, .interruptible = true};
  const auto outcomes = run(
      nodes, [](const ClusterNode&) { return std::vector<std::string>{"true"}; }, "", limits);
  std::vector<Answer> answers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (outcomes[i].ok()) {
      answers.emplace_back(json());
      continue;
    }
    Error error = node_failure(node(nodes[i]), outcomes[i], limits).value();
    const std::string& name = node(nodes[i]).name;
    if (error.code == EINVAL) {
      error.context =
          fmt::format("{}: cannot be reached by {}{}", name, launcher_.name(), error.context.substr(name.size()));
    }
    answers.emplace_back(Failure(std::move(error)));
  }
  return answers;
}

std::vector<Answer> Crew::ask(const NodeSet& nodes, const RequestFor& request, std::chrono::seconds limit,
                              const std::string& input) const {
  const RunLimits limits{.deadline = limit};
  const auto words = [&](const ClusterNode& target) {
    json whole = request(target);
    whole["directory"] = target.directory;
    return std::vector<std::string>{plan_.program, "cluster", "on-node", whole.dump(-1, ' ', true)};
  };
  const auto outcomes = run(nodes, words, input, limits);
  std::vector<Answer> answers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const ClusterNode& asked = node(nodes[i]);
    if (!outcomes[i].ok()) {
      answers.emplace_back(node_failure(asked, outcomes[i], limits));
      continue;
    }
    json answer = object_in(outcomes[i].out);
    if (answer.is_object()) {
      answers.emplace_back(std::move(answer));
    } else {
      answers.emplace_back(
          fail(EINVAL, "{}: {} gives no answer that can be read; is it another version?", asked.name, plan_.program));
    }
  }
  return answers;
}

std::vector<Answer> Crew::tell(const NodeSet& nodes, const WordsFor& words, const RunLimits& limits) const {
  const auto outcomes = run(nodes, words, "", limits);
  std::vector<Answer> answers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (outcomes[i].ok()) {
      answers.emplace_back(json());
    } else {
      answers.emplace_back(node_failure(node(nodes[i]), outcomes[i], limits));
    }
  }
  return answers;
}

Status settle(const std::vector<Answer>& answers) {
  std::vector<const Error*> errors;
  for (const Answer& answer : answers) {
    if (!answer) errors.push_back(&answer.error());
  }
  if (errors.empty()) return {};
  for (size_t i = 0; i + 1 < std::min(errors.size(), kMostErrorLines); ++i) print_error(error_text(*errors[i]));
  if (errors.size() > kMostErrorLines)
    print_error(fmt::format("... and {} more nodes", errors.size() - kMostErrorLines));
  return Failure(*errors.back());
}

std::string name_nodes(const Crew& crew, const NodeSet& nodes) {
  std::string names;
  for (size_t i = 0; i < std::min(nodes.size(), kMostNames); ++i)
    names += (i == 0 ? "" : ", ") + crew.node(nodes[i]).name;
  if (nodes.size() <= kMostNames) return names;
  const size_t more = nodes.size() - kMostNames;
  return fmt::format("{} and {} more node{}", names, more, more == 1 ? "" : "s");
}

}  // namespace forebay::cli
