#include "cli/usage_error.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/nearest.h"

namespace forebay::cli {
namespace {

// The command that the words belong to: "forebay config check" when that far was understood.
const CLI::App& chosen_command(const CLI::App& app, std::string& name) {
  const CLI::App* command = &app;
  name = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  return *command;
}

std::string near_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return suggestion(word, {names.begin(), names.end()});
}

std::string near_option(const CLI::App& command, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return suggestion(word.substr(0, word.find('=')), {names.begin(), names.end()});
}

}  // namespace

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string name;
  const CLI::App& command = chosen_command(app, name);
  const std::string prefix = &command == &app ? "" : name.substr(name.find(' ') + 1) + ": ";
  const auto line = [&](const std::string& what, const std::string& hint = "") {
    return fmt::format("{}{}{} {} --help", prefix, what, hint.empty() ? "; see" : hint + " See", name);
  };

  // The words that were not understood come first: what else is said to be wrong follows from them.
  std::vector<std::string> words = app.remaining(true);
  words.erase(std::remove(words.begin(), words.end(), "--"), words.end());
  const auto option = std::find_if(words.begin(), words.end(),
                                   [](const std::string& word) { return word.size() > 1 && word.front() == '-'; });
  if (option != words.end()) return line(fmt::format("unknown option \"{}\"", *option), near_option(command, *option));
  const bool has_commands = !command.get_subcommands({}).empty();
  if (!words.empty() && has_commands) {
    return line(fmt::format("unknown command \"{}\"", words.front()), near_command(command, words.front()));
  }
  if (!words.empty()) return line(fmt::format("unexpected argument \"{}\"", words.front()));
  if (has_commands) return line("no command given");
  // "--set: 1 required KEY=VALUE missing"
  const std::string what = error.what();
  if (error.get_name() == "ArgumentMismatch") return line(what.substr(0, what.find(':')) + " needs a value");
  return line(what);
}

}  // namespace forebay::cli
