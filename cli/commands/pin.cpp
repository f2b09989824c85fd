#include "cli/path_work.h"

namespace forebay::cli {

void add_pin(CLI::App& app, Action& action) {
  add_path_command(app, action,
                   {.name = "pin",
                    .description = "Bring files into the cache and keep them there until they are unpinned",
                    .example = "Example: keep the shared libraries here whatever else comes\n"
                               "  forebay pin /fast/software\n\n"
                               "Files that are made in the directory later are not pinned.",
                    // Pinned first: what is fetched shall not be evicted again before it is complete.
                    .steps = {cachefs::ControlAction::kPin, cachefs::ControlAction::kPrefetch}});
}

}  // namespace forebay::cli
