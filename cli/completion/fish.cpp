#include <fmt/format.h>

#include "cli/completion/script.h"
#include "core/config.h"

namespace forebay::cli {
namespace {

std::string fish_line(const std::string& when, const std::string& what, const std::string& meaning) {
  const std::string about = meaning.empty() ? "" : " -d " + quoted(meaning, "\\");
  return fmt::format("complete -c forebay -n {} {}{}\n", quoted(when, "\\"), what, about);
}

}  // namespace

std::string fish_script(const std::vector<CompletionCommand>& commands) {
  std::string script =
      "# Completion of forebay for fish: forebay completion fish > ~/.config/fish/completions/forebay.fish\n"
      "complete -c forebay -f\n";
  for (const CompletionCommand& command : commands) {
    script += fish_line("__fish_use_subcommand", "-a " + command.name, command.meaning);
    const std::string here = "__fish_seen_subcommand_from " + command.name;
    for (const CompletionWord& option : command.options) {
      std::string what = option.text.starts_with("--") ? "-l " + option.text.substr(2) : "-s " + option.text.substr(1);
      if (option.text == "--set") what += " -x -a " + quoted(join_keys("="));
      if (is_one_of(option.text, kDirectoryOptions)) what += " -x -a '(__fish_complete_directories)'";
      if (is_one_of(option.text, kFileOptions)) what += " -r -F";
      if (option.text == "--launcher") what += " -x -a " + quoted(std::string(kLaunchers));
      if (option.text == "-o") what += " -x";
      script += fish_line(here, what, option.meaning);
    }
    for (const CompletionWord& word : command.words) {
      script += fish_line(fmt::format("{}; and not __fish_seen_subcommand_from {}", here, join(command.words)),
                          "-a " + word.text, word.meaning);
    }
    if (command.takes == CompletionCommand::Takes::kFiles) script += fish_line(here, "-F", "");
    if (command.takes == CompletionCommand::Takes::kDirectories)
      script += fish_line(here, "-a '(__fish_complete_directories)'", "");
    if (command.takes == CompletionCommand::Takes::kMounts) {
      script += fish_line(here, "-a " + quoted(fmt::format("({})", kListMounts)), "");
    }
  }
  return script;
}

}  // namespace forebay::cli
