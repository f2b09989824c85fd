#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "cli/commands/commands.h"
#include "cli/output.h"
#include "cli/usage_error.h"

namespace forebay::cli {
namespace {

constexpr char kDescription[] =
    "forebay puts a cache on local flash in front of a slow or distant directory. The mounted tree is the same tree:\n"
    "reads fill the cache, writes land in it and are brought out behind your back.\n";

constexpr char kExamples[] = R"(Try it:
  forebay mount /gpfs/project /fast       /fast is /gpfs/project now, through a cache
  forebay status /fast                    how full it is, what is still to be brought out
  forebay prefetch /fast/input            have it here before the job starts
  forebay flush /fast/results             wait until it is all outside
  forebay unmount /fast                   flush everything and end

`forebay COMMAND --help` explains a command, with an example.)";

void add_commands(CLI::App& app, Action& action) {
  add_mount(app, action);
  add_unmount(app, action);
  add_status(app, action);
  add_stat(app, action);
  add_prefetch(app, action);
  add_flush(app, action);
  add_evict(app, action);
  add_pin(app, action);
  add_unpin(app, action);
  add_cluster(app, action);
  add_config(app, action);
  add_layout(app, action);
  add_targets(app, action);
  add_completion(app, action);
  add_daemons(app, action);
}

// CLI11 takes "[a,b]" for a list. A file of such a name is the same file with "./" before it.
std::vector<std::string> words_of(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + std::max(1, argc));
  for (std::string& word : words) {
    if (word.starts_with('[') && word.ends_with(']')) word.insert(0, "./");
  }
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  return words;
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app(kDescription, "forebay");
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("Positionals", "Arguments");
  app.get_formatter()->label("REQUIRED", "");
  app.get_formatter()->column_width(26);
  app.set_help_flag("-h,--help", "Explain, and do nothing else");
  app.set_version_flag("--version", "forebay " FOREBAY_VERSION, "Print the version");
  app.require_subcommand(1);
  app.footer(kExamples);
  Action action;
  add_commands(app, action);
  try {
    app.parse(words_of(argc, argv));
  } catch (const CLI::Success& asked) {
    return app.exit(asked, std::cout, std::cerr);
  } catch (const CLI::ParseError& error) {
    print_error(usage_error(app, error));
    return kExitUsage;
  }
  return action();
}

}  // namespace forebay::cli
