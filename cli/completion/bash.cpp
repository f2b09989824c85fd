#include <fmt/format.h>

#include "cli/completion/script.h"
#include "core/config.h"

namespace forebay::cli {
namespace {

constexpr char kBashScript[] = R"sh(# Completion of forebay for bash: source <(forebay completion bash)
_forebay_values() {{
    local words=''
    case $1 in
{values}    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2")
}}

_forebay() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} words='' options='' paths=''
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W {names} -- "$cur")
        return
    fi
    # --set KEY=VALUE comes as three words, because bash breaks words at "=".
    if [[ $cur == "=" ]]; then
        _forebay_values "$prev" ""
        return
    elif [[ $prev == "=" ]]; then
        _forebay_values "${{COMP_WORDS[COMP_CWORD - 2]}}" "$cur"
        return
    fi
    case $prev in
    --set)
        compopt -o nospace
        mapfile -t COMPREPLY < <(compgen -W {keys} -- "$cur")
        return
        ;;
    {directories})
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    {files})
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --launcher)
        mapfile -t COMPREPLY < <(compgen -W {launchers} -- "$cur")
        return
        ;;
    esac
    case ${{COMP_WORDS[1]}} in
{cases}    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    if [[ -n $words && $COMP_CWORD == 2 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    case $paths in
    files) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    directories) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    mounts) mapfile -t COMPREPLY < <(compgen -W "$({mounts})" -- "$cur"; compgen -d -- "$cur") ;;
    esac
    compopt -o filenames
}}
complete -F _forebay forebay
)sh";

}  // namespace

std::string bash_script(const std::vector<CompletionCommand>& commands) {
  std::vector<CompletionWord> names = {{"--help", ""}, {"--version", ""}};
  std::string cases, values;
  for (const CompletionCommand& command : commands) {
    names.push_back({command.name, ""});
    const char* paths = "";
    if (command.takes == CompletionCommand::Takes::kFiles) paths = "files";
    if (command.takes == CompletionCommand::Takes::kDirectories) paths = "directories";
    if (command.takes == CompletionCommand::Takes::kMounts) paths = "mounts";
    cases += fmt::format("    {}) words={} options={} paths={} ;;\n", command.name, quoted(join(command.words)),
                         quoted(join(command.options)), quoted(paths));
  }
  for (const ConfigKeyInfo& row : config_keys()) {
    if (const std::string list = choices(row.type); !list.empty()) {
      values += fmt::format("        {}) words={} ;;\n", row.key, quoted(list));
    }
  }
  return fmt::format(kBashScript, fmt::arg("values", values), fmt::arg("names", quoted(join(names))),
                     fmt::arg("keys", quoted(join_keys("="))), fmt::arg("cases", cases),
                     fmt::arg("mounts", kListMounts), fmt::arg("directories", joined_by(kDirectoryOptions, " | ")),
                     fmt::arg("files", joined_by(kFileOptions, " | ")),
                     fmt::arg("launchers", quoted(std::string(kLaunchers))));
}

}  // namespace forebay::cli
