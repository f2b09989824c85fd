#include "core/layout.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cachefs/control.h"
#include "cli/commands/commands.h"
#include "cli/control.h"
#include "cli/output.h"
#include "core/units.h"

namespace forebay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct LayoutOptions {
  std::vector<std::string> paths;
  std::string count = "auto", chunk_size = "auto";
  bool inherit = false;
  bool json = false;
};

Result<Json> rule_of(const LayoutOptions& options) {
  Json rule = {{"count", "auto"}, {"chunk_size", "auto"}};
  if (options.count != "auto") {
    const bool is_number = options.count.find_first_not_of("0123456789") == std::string::npos;
    const uint64_t count = is_number && options.count.size() < 10 ? std::stoull("0" + options.count) : 0;
    if (count == 0 || count > kMostStripes) {
      return fail(EINVAL, "--count {}: a number of targets from 1 to {}, or \"auto\", is needed", options.count,
                  kMostStripes);
    }
    rule["count"] = count;
  }
  if (options.chunk_size != "auto") {
    const auto bytes = parse_bytes(options.chunk_size);
    if (!bytes || *bytes < kLeastChunkBytes || *bytes > kMostChunkBytes || (*bytes & (*bytes - 1)) != 0) {
      return fail(EINVAL, "--chunk-size {}: a power of two from 64KiB to 64MiB, or \"auto\", is needed",
                  options.chunk_size);
    }
    rule["chunk_size"] = *bytes;
  }
  return rule;
}

Status set_layout(const std::string& path, const LayoutOptions& options, const std::string& rule) {
  RETURN_IF_ERROR(read_facts(path, cachefs::kXattrLayout));  // in a mount, and says what is wrong if it is not
  const int done = options.inherit ? ::removexattr(path.c_str(), cachefs::kXattrLayout)
                                   : ::setxattr(path.c_str(), cachefs::kXattrLayout, rule.data(), rule.size(), 0);
  if (done == 0) return {};
  const int code = errno;
  if (code == ENOTDIR) return fail(code, "{}: layouts are set on directories, for files that are cached later", path);
  if (code == ENOTSUP) return fail(code, "{}: this mount has one target; layouts are for clusters", path);
  return fail(code, "{}", path);
}

int run_set(const LayoutOptions& options) {
  const auto rule = rule_of(options);
  if (!rule) return report(rule.error());
  int status = 0;
  for (const std::string& path : options.paths) {
    if (const Status done = set_layout(path, options, rule->dump()); !done) status = report(done.error());
  }
  return status;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string size_text(const Json& value) {
  return value.is_number_unsigned() ? format_bytes(value.get<uint64_t>()) : text_of(value);
}

void print_layout(const std::string& path, const Json& layout) {
  const auto targets = layout.find("targets");
  if (targets != layout.end()) {
    fmt::print("{}: chunks of {} on {} {}\n", one_line(path), size_text(layout.at("chunk_size")),
               targets->size() == 1 ? "target" : "targets", fmt::join(targets->get<std::vector<uint32_t>>(), ", "));
    return;
  }
  fmt::print("{}: count {}, chunk size {}\n", one_line(path), text_of(layout.at("count")),
             size_text(layout.at("chunk_size")));
}

int run_get(const LayoutOptions& options) {
  int status = 0;
  for (const std::string& path : options.paths) {
    auto facts = read_facts(path, cachefs::kXattrLayout);
    if (!facts) {
      status = report(facts.error());
    } else if (options.json) {
      Json row = {{"path", path}};
      row.update(*facts);
      fmt::print("{}\n", row.dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
      print_layout(path, *facts);
    }
  }
  return status;
}

}  // namespace

void add_layout(CLI::App& app, Action& action) {
  CLI::App* const command =
      app.add_subcommand("layout", "Say over how many targets of a cluster files are striped")->group("Commands");
  command->require_subcommand(1);

  const auto to_set = std::make_shared<LayoutOptions>();
  CLI::App* const set =
      command->add_subcommand("set", "Set the layout of files that are cached later below a directory");
  set->add_option("DIR", to_set->paths, "directories of a mount")->required()->type_name("");
  set->add_option("--count", to_set->count, "targets for each file; auto: as stripe.count and stripe.threshold say")
      ->type_name("N|auto");
  set->add_option("--chunk-size", to_set->chunk_size,
                  "how much of a file lies on one target before the next one's turn")
      ->type_name("SIZE|auto");
  set->add_flag("--inherit", to_set->inherit, "no layout of its own any more: what is above counts")
      ->excludes("--count")
      ->excludes("--chunk-size");
  set->footer("Example: one large file is read by many nodes\n  forebay layout set /fast/input --count 8");
  set->callback([&action, to_set] { action = [to_set] { return run_set(*to_set); }; });

  const auto to_get = std::make_shared<LayoutOptions>();
  CLI::App* const get = command->add_subcommand("get", "Show what counts below a directory, or where a file lies");
  get->add_option("PATH", to_get->paths, "files and directories of a mount")->required()->type_name("");
  get->add_flag("--json", to_get->json, "one JSON object for each path");
  get->callback([&action, to_get] { action = [to_get] { return run_get(*to_get); }; });
}

}  // namespace forebay::cli
