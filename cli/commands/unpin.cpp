#include "cli/path_work.h"

namespace forebay::cli {

void add_unpin(CLI::App& app, Action& action) {
  add_path_command(app, action,
                   {.name = "unpin",
                    .description = "Let pinned files leave the cache again when room is needed",
                    .example = "Example:\n  forebay unpin /fast/software",
                    .steps = {cachefs::ControlAction::kUnpin}});
}

}  // namespace forebay::cli
