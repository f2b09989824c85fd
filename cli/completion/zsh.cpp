#include <fmt/format.h>

#include "cli/completion/script.h"
#include "core/config.h"

namespace forebay::cli {
namespace {

constexpr char kZshScript[] = R"sh(#compdef forebay
# Completion of forebay for zsh: forebay completion zsh > a file _forebay in $fpath
_forebay_mounts() {{
  local -a mounts=(${{(f)"$({mounts})"}})
  compadd -a mounts
  _files -/
}}

_forebay_setting() {{
  if compset -P 1 '*='; then
    case ${{IPREFIX%=}} in
{values}    esac
  else
    compadd -S = -- {keys}
  fi
}}

_forebay() {{
  local -a names=({names}) options words_here
  local paths=:
  if ((CURRENT == 2)); then
    [[ $PREFIX == -* ]] && compadd -- --help --version || _describe command names
    return
  fi
  case $words[CURRENT-1] in
    --set) _forebay_setting; return ;;
    {directories}) _files -/; return ;;
    {files}) _files; return ;;
    --launcher) compadd -- {launchers}; return ;;
  esac
  case $words[2] in
{cases}  esac
  if [[ $PREFIX == -* ]]; then
    _describe -o option options
  elif ((CURRENT == 3 && $#words_here)); then
    _describe argument words_here
  else
    ${{=paths}}
  fi
}}

if [[ $funcstack[1] == _forebay ]]; then _forebay "$@"; else compdef _forebay forebay; fi
)sh";

std::string zsh_words(const std::vector<CompletionWord>& words) {
  std::string list;
  for (const CompletionWord& word : words) {
    const std::string text = word.meaning.empty() ? word.text : word.text + ":" + word.meaning;
    list += (list.empty() ? "" : " ") + quoted(text);
  }
  return list;
}

}  // namespace

std::string zsh_script(const std::vector<CompletionCommand>& commands) {
  std::vector<CompletionWord> names;
  std::string cases, values;
  for (const CompletionCommand& command : commands) {
    names.push_back({command.name, command.meaning});
    const char* paths = ":";
    if (command.takes == CompletionCommand::Takes::kFiles) paths = "_files";
    if (command.takes == CompletionCommand::Takes::kDirectories) paths = "_files -/";
    if (command.takes == CompletionCommand::Takes::kMounts) paths = "_forebay_mounts";
    cases += fmt::format("    {}) options=({}) words_here=({}) paths={} ;;\n", command.name, zsh_words(command.options),
                         zsh_words(command.words), quoted(paths));
  }
  for (const ConfigKeyInfo& row : config_keys()) {
    if (const std::string list = choices(row.type); !list.empty()) {
      values += fmt::format("      {}) compadd -- {} ;;\n", row.key, list);
    }
  }
  return fmt::format(kZshScript, fmt::arg("mounts", kListMounts), fmt::arg("values", values),
                     fmt::arg("keys", join_keys("")), fmt::arg("names", zsh_words(names)), fmt::arg("cases", cases),
                     fmt::arg("directories", joined_by(kDirectoryOptions, "|")),
                     fmt::arg("files", joined_by(kFileOptions, "|")), fmt::arg("launchers", kLaunchers));
}

}  // namespace forebay::cli
