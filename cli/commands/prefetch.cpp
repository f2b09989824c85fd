#include "cli/path_work.h"

namespace forebay::cli {

void add_prefetch(CLI::App& app, Action& action) {
  add_path_command(app, action,
                   {.name = "prefetch",
                    .description = "Bring files into the cache now, and wait until they are complete",
                    .example = "Example: have the input here before the job starts\n"
                               "  forebay prefetch /fast/input && srun ./job /fast/input\n\n"
                               "Ctrl-C stops it; what is here stays here.",
                    .steps = {cachefs::ControlAction::kPrefetch}});
}

}  // namespace forebay::cli
