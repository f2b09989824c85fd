#include "cli/path_work.h"

namespace forebay::cli {

void add_evict(CLI::App& app, Action& action) {
  add_path_command(app, action,
                   {.name = "evict",
                    .description = "Take files out of the cache, after bringing changed data outside",
                    .example = "Example: make room before a large job\n"
                               "  forebay evict /fast/old\n\n"
                               "The files stay where they are and are fetched again when they are read.",
                    .steps = {cachefs::ControlAction::kEvict},
                    .settles = true,
                    .only_present = true});
}

}  // namespace forebay::cli
