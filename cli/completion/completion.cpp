#include "cli/completion.h"

#include "cli/completion/script.h"

namespace forebay::cli {

Result<std::string> completion_script(const CLI::App& app, const std::string& shell) {
  const std::vector<CompletionCommand> commands = describe_commands(app);
  if (shell == "bash") return bash_script(commands);
  if (shell == "zsh") return zsh_script(commands);
  if (shell == "fish") return fish_script(commands);
  return fail(EINVAL, "completion: \"{}\" is none of bash, zsh, fish", shell);
}

}  // namespace forebay::cli
