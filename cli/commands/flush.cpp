#include "cli/path_work.h"

namespace forebay::cli {

void add_flush(CLI::App& app, Action& action) {
  add_path_command(app, action,
                   {.name = "flush",
                    .description = "Bring changed data to the external directory, and wait until it is there",
                    .example = "Example: make sure that the results are outside\n"
                               "  forebay flush /fast/results && echo everything is out\n\n"
                               "The exit status is 0 only if all of it is there. The data stays in the cache, too.",
                    .steps = {cachefs::ControlAction::kFlush},
                    .whole_directories = true,
                    .settles = true});
}

}  // namespace forebay::cli
