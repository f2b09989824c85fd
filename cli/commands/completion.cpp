#include "cli/completion.h"

#include <memory>

#include "cli/commands/commands.h"
#include "cli/output.h"

namespace forebay::cli {

void add_completion(CLI::App& app, Action& action) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* const command =
      app.add_subcommand("completion", "Print a script that lets a shell complete this command")->group("Commands");
  command->add_option("SHELL", *shell, "bash, zsh or fish")->type_name("")->required();
  command->footer(
      "Examples:\n"
      "  source <(forebay completion bash)                                     in ~/.bashrc\n"
      "  forebay completion zsh > /usr/local/share/zsh/site-functions/_forebay\n"
      "  forebay completion fish > ~/.config/fish/completions/forebay.fish");
  command->callback([&action, &app, shell] {
    action = [&app, shell] {
      const auto script = completion_script(app, *shell);
      if (!script) return report(script.error());
      fmt::print("{}", *script);
      return 0;
    };
  });
}

}  // namespace forebay::cli
