#include <fmt/chrono.h>

#include <filesystem>
#include <memory>

#include "cli/commands/commands.h"
#include "cli/control.h"
#include "cli/output.h"
#include "core/units.h"

namespace forebay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct StatOptions {
  std::vector<std::string> paths;
  bool json = false;
};

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto whole = std::filesystem::absolute(path, error);
  return error ? path : whole.string();
}

std::string time_text(int64_t ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t rest = ((ns % kSecond) + kSecond) % kSecond;
  const auto seconds = static_cast<time_t>((ns - rest) / kSecond);
  tm parts{};
  if (::localtime_r(&seconds, &parts) == nullptr) return fmt::format("{} ns", ns);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:09}", parts, rest);
}

std::string targets_text(const Json& layout) {
  const auto targets = layout.find("targets");
  if (targets == layout.end() || !targets->is_array() || targets->empty()) return "no target";
  std::string list = targets->size() == 1 ? "target" : "targets";
  for (const Json& target : *targets) list += " " + target.dump();
  return list;
}

void print_facts(const std::string& path, const Json& facts) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    fmt::print("{}\n  directory: what is cached is in its files\n", one_line(path));
    return;
  }
  const uint64_t size = fact_number(facts, "size"), present = fact_number(facts, "present_bytes");
  fmt::print("{}\n", one_line(path));
  fmt::print("  cached   {} ({} of {} present)\n", fact_flag(facts, "cached") ? "yes" : "no", format_bytes(present),
             format_bytes(size));
  if (fact_flag(facts, "transient")) {
    fmt::print("  dirty    no: transient, nothing outside has it\n");
  } else if (fact_flag(facts, "dirty")) {
    fmt::print("  dirty    yes, {} still to flush\n", format_bytes(fact_number(facts, "dirty_bytes")));
  } else {
    fmt::print("  dirty    no\n");
  }
  fmt::print("  pinned   {}\n", fact_flag(facts, "pinned") ? "yes" : "no");
  const auto mtime0 = facts.find("mtime0_ns");
  const bool known = mtime0 != facts.end() && mtime0->is_number_integer() && mtime0->get<int64_t>() != 0;
  fmt::print("  mtime0   {}\n", known ? time_text(mtime0->get<int64_t>()) : "-");
  const auto layout = facts.find("layout");
  if (layout == facts.end() || !layout->is_object()) return;
  fmt::print("  layout   chunks of {} on {}\n", format_bytes(fact_number(*layout, "chunk_size")),
             targets_text(*layout));
}

int run_stat(const StatOptions& options) {
  int exit_status = 0;
  for (const std::string& path : options.paths) {
    const auto facts = read_facts(path, cachefs::kXattrStat);
    if (!facts) {
      exit_status = report(facts.error());
    } else if (options.json) {
      Json whole = {{"path", absolute(path)}};
      whole.update(*facts);
      whole["path"] = absolute(path);
      // Names are bytes and JSON is text: what is no UTF-8 is replaced.
      fmt::print("{}\n", whole.dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
      print_facts(path, *facts);
    }
  }
  return exit_status;
}

}  // namespace

void add_stat(CLI::App& app, Action& action) {
  const auto options = std::make_shared<StatOptions>();
  CLI::App* const command =
      app.add_subcommand("stat", "Show what the cache has of a file: cached, dirty, pinned, layout")->group("Commands");
  command->add_option("PATH", options->paths, "files and directories inside a mount")->type_name("")->required();
  command->add_flag("--json", options->json, "one JSON object per line, one line per path");
  command->footer(
      "Example: which files are not out yet?\n"
      "  forebay stat --json /fast/results/* | jq -r 'select(.dirty).path'\n\n"
      "The same facts are extended attributes: getfattr -n user.forebay.dirty --only-values FILE");
  command->callback([&action, options] { action = [options] { return run_stat(*options); }; });
}

}  // namespace forebay::cli
