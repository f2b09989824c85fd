#include <sys/xattr.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cachefs/control.h"
#include "cachefs/mount_table.h"
#include "cli/commands/commands.h"
#include "cli/control.h"
#include "cli/output.h"
#include "core/units.h"

namespace forebay::cli {
namespace {

struct TargetsOptions {
  std::string mountpoint;
  bool state = false;
  bool json = false;
};

struct DrainOptions {
  TargetId target = 0;
  std::string mountpoint;
  bool undo = false;
};

// The mount that is meant: the one that is named, or the only one there is.
Result<std::string> mount_of(const std::string& named) {
  if (!named.empty()) return cachefs::resolve_path(named);
  ASSIGN_OR_RETURN(const auto table, cachefs::read_mount_table());
  std::vector<std::string> mounts;
  for (const auto& entry : table) {
    if (entry.type == cachefs::kMountType) mounts.push_back(entry.mountpoint);
  }
  if (mounts.empty()) return fail(EINVAL, "there is no forebay mount");
  if (mounts.size() > 1) {
    return fail(EINVAL, "there are {} forebay mounts; name one, such as {}", mounts.size(), mounts.front());
  }
  return mounts.front();
}

std::string text_or(const nlohmann::json& row, const char* key, const char* otherwise) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

void print_targets(const nlohmann::json& targets, bool state) {
  fmt::print("{:>6}  {:16}", "id", "node");
  if (state) fmt::print("  {:16}  {:12}", "reachability", "consistency");
  fmt::print("  {:10}  {:>10}  {:>10}  {}\n", "pool", "used", "capacity", "path");
  for (const auto& row : targets) {
    fmt::print("{:>6}  {:16}", row.value("id", 0u), text_or(row, "node", "-"));
    if (state) {
      const bool draining = row.value("draining", false);
      fmt::print("  {:16}  {:12}", text_or(row, "reachability", "-") + std::string(draining ? ", drains" : ""),
                 text_or(row, "consistency", "-"));
    }
    fmt::print("  {:10}  {:>10}  {:>10}  {}\n", text_or(row, "pool", "-"),
               format_bytes(row.value("used_bytes", uint64_t{0})),
               format_bytes(row.value("capacity_bytes", uint64_t{0})), one_line(text_or(row, "path", "-")));
  }
}

int run_targets(const TargetsOptions& options) {
  const auto mountpoint = mount_of(options.mountpoint);
  if (!mountpoint) return report(mountpoint.error());
  const auto facts = read_facts(*mountpoint, cachefs::kXattrStatus);
  if (!facts) return report(facts.error());
  const auto targets = facts->value("targets", nlohmann::json::array());
  if (options.json) {
    fmt::print("{}\n", targets.dump());
  } else {
    print_targets(targets, options.state);
  }
  return 0;
}

int run_drain(const DrainOptions& options) {
  const auto mountpoint = mount_of(options.mountpoint);
  if (!mountpoint) return report(mountpoint.error());
  const std::string value = fmt::format("{}{}", options.undo ? "-" : "", options.target);
  if (::setxattr(mountpoint->c_str(), cachefs::kXattrDrain, value.data(), value.size(), 0) != 0) {
    const int code = errno;
    if (code == EPERM) return report({code, "targets are drained by root alone"});
    if (code == ENOTSUP) return report({code, fmt::format("{}: is no mount of a cluster", *mountpoint)});
    return report({code, fmt::format("target {}", options.target)});
  }
  if (options.undo) {
    fmt::print("target {} takes files again\n", options.target);
  } else {
    fmt::print("target {} takes no new files, and is being emptied; forebay targets --state shows how far it is\n",
               options.target);
  }
  return 0;
}

void add_drain(CLI::App& targets, Action& action) {
  const auto options = std::make_shared<DrainOptions>();
  CLI::App* const command = targets.add_subcommand(
      "drain", "Empty a target: what is dirty there is flushed, what is clean is dropped, and nothing new comes");
  command->add_option("ID", options->target, "the number of the target")->required()->type_name("");
  command->add_option("MOUNTPOINT", options->mountpoint, "a mount; need not be said where there is one")->type_name("");
  command->add_flag("--undo", options->undo, "the target takes files again");
  command->footer("Pinned files and files that are open stay until they are unpinned and closed.");
  command->callback([&action, options] { action = [options] { return run_drain(*options); }; });
}

}  // namespace

void add_targets(CLI::App& app, Action& action) {
  const auto options = std::make_shared<TargetsOptions>();
  CLI::App* const command = app.add_subcommand("targets", "Show the targets of a cluster")->group("Commands");
  command->add_option("MOUNTPOINT", options->mountpoint, "a mount; need not be said where there is one")->type_name("");
  command->add_flag("--state", options->state, "also reachability and consistency");
  command->add_flag("--json", options->json, "print a JSON list with all that is known");
  command->footer("Example:\n  forebay targets --state /fast");
  command->callback([&action, command, options] {
    if (command->get_subcommands().empty()) action = [options] { return run_targets(*options); };
  });
  add_drain(*command, action);
}

}  // namespace forebay::cli
