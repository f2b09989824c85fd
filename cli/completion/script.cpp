#include "cli/completion/script.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/config.h"

namespace forebay::cli {
namespace {

CompletionCommand describe(const CLI::App& app) {
  CompletionCommand command{app.get_name(), app.get_description(), {}, {}, CompletionCommand::Takes::kNothing};
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      command.options.push_back({"--" + name, option->get_description()});
    for (const std::string& name : option->get_snames())
      command.options.push_back({"-" + name, option->get_description()});
    const std::string place = option->get_positional() ? option->get_name() : "";
    if (place == "PATH" || place == "FILE") command.takes = CompletionCommand::Takes::kFiles;
    if (place == "EXTERNAL") command.takes = CompletionCommand::Takes::kDirectories;
    if (place == "MOUNTPOINT" && command.takes == CompletionCommand::Takes::kNothing)
      command.takes = CompletionCommand::Takes::kMounts;
    if (place == "SHELL") command.words = {{"bash", ""}, {"zsh", ""}, {"fish", ""}};
  }
  for (const CLI::App* sub : app.get_subcommands({})) {
    if (sub->get_group().empty()) continue;
    command.words.push_back({sub->get_name(), sub->get_description()});
    // `config check FILE`, `cluster start --metad`
    const CompletionCommand below = describe(*sub);
    for (const CompletionWord& option : below.options) {
      const auto same = [&option](const CompletionWord& known) { return known.text == option.text; };
      if (std::none_of(command.options.begin(), command.options.end(), same)) command.options.push_back(option);
    }
    if (below.takes != CompletionCommand::Takes::kNothing) command.takes = below.takes;
  }
  return command;
}

}  // namespace

bool is_one_of(std::string_view option, std::string_view options) {
  return fmt::format(" {} ", options).find(fmt::format(" {} ", option)) != std::string::npos;
}

std::string joined_by(std::string_view words, std::string_view between) {
  std::string line;
  for (const char c : words) line += c == ' ' ? std::string(between) : std::string(1, c);
  return line;
}

std::vector<CompletionCommand> describe_commands(const CLI::App& app) {
  std::vector<CompletionCommand> commands;
  for (const CLI::App* sub : app.get_subcommands({})) {
    if (!sub->get_group().empty()) commands.push_back(describe(*sub));
  }
  return commands;
}

std::string choices(std::string_view type) {
  if (type.find(" | ") == type.npos) return {};
  std::string words;
  for (const char c : type) {
    if (c != '|' && !(c == ' ' && words.ends_with(' '))) words += c;
  }
  return words;
}

std::string join(const std::vector<CompletionWord>& words) {
  std::string line;
  for (const CompletionWord& word : words) line += (line.empty() ? "" : " ") + word.text;
  return line;
}

std::string join_keys(std::string_view after) {
  std::string line;
  for (const ConfigKeyInfo& row : config_keys()) line += fmt::format("{}{}{}", line.empty() ? "" : " ", row.key, after);
  return line;
}

std::string quoted(const std::string& text, std::string_view extra) {
  std::string safe;
  for (const char c : text) {
    if (c == '\'') {
      safe += "'\\''";
    } else {
      if (extra.find(c) != extra.npos) safe += '\\';
      safe += c;
    }
  }
  return "'" + safe + "'";
}

}  // namespace forebay::cli
