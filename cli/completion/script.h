// What a completion script is made of: private to cli/completion.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace forebay::cli {

// How the mounts are listed in all three languages.
constexpr char kListMounts[] = R"(awk '/ - fuse\.forebay / {print $5}' /proc/self/mountinfo 2>/dev/null)";

// What an option's value is, for those that several commands have.
constexpr std::string_view kFileOptions = "--config --nodefile -n --program";
constexpr std::string_view kDirectoryOptions = "--cache --data -d --mount -c --external -l";
constexpr std::string_view kLaunchers = "ssh pdsh srun netns";

// Whether `option` is one of those words.
bool is_one_of(std::string_view option, std::string_view options);

// The words with `between` instead of blanks.
std::string joined_by(std::string_view words, std::string_view between);

struct CompletionWord {
  std::string text;
  std::string meaning;
};

struct CompletionCommand {
  std::string name;
  std::string meaning;
  std::vector<CompletionWord> options;
  std::vector<CompletionWord> words;  // subcommands and fixed arguments
  enum class Takes { kNothing, kFiles, kDirectories, kMounts } takes = Takes::kNothing;
};

// The commands that --help lists.
std::vector<CompletionCommand> describe_commands(const CLI::App& app);

// The words, with blanks between them.
std::string join(const std::vector<CompletionWord>& words);

// All configuration keys, each with `after` behind it.
std::string join_keys(std::string_view after);

// What a key with choices may be, with blanks between: "a | b" -> "a b"; empty for a type that is no list.
std::string choices(std::string_view type);

// In single quotes for a shell, with a backslash before each of `extra`.
std::string quoted(const std::string& text, std::string_view extra = "");

std::string bash_script(const std::vector<CompletionCommand>& commands);
std::string zsh_script(const std::vector<CompletionCommand>& commands);
std::string fish_script(const std::vector<CompletionCommand>& commands);

}  // namespace forebay::cli
