// The commands of later versions: known, so that they are told apart from a slip of the fingers.
#include <string>

#include "cli/commands/commands.h"
#include "cli/output.h"

namespace forebay::cli {

void add_later_commands(CLI::App& app, Action& action) {
  for (const std::string name : {"cluster", "targets", "mgmtd", "metad", "storaged"}) {
    // In no group: not listed by --help.
    CLI::App* const command = app.add_subcommand(name)->group("")->allow_extras();
    command->set_help_flag();
    command->callback([&action, name] {
      action = [name] {
        print_error(name + ": not available in this version (one machine only)");
        return kExitFailure;
      };
    });
  }
}

}  // namespace forebay::cli
