#include <algorithm>
#include <memory>
#include <set>

#include "cachefs/mount_table.h"
#include "cli/commands/commands.h"
#include "cli/control.h"
#include "cli/output.h"
#include "core/units.h"

namespace forebay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct StatusOptions {
  std::string mountpoint;
  bool json = false;
};

// The facts of one mount, taken out one by one, so that what is left over can be shown, too.
class Facts {
 public:
  explicit Facts(Json facts) : facts_(std::move(facts)) {}

  uint64_t number(const char* key) {
    const uint64_t value = fact_number(facts_, key);
    facts_.erase(key);
    return value;
  }

  std::string text(const char* key) {
    const Json value = take(key);
    if (value.is_null()) return "-";
    return value.is_string() ? one_line(value.get<std::string>()) : value.dump();
  }

  // Null when there is none.
  Json take(const char* key) {
    const auto found = facts_.find(key);
    if (found == facts_.end()) return nullptr;
    Json value = *found;
    facts_.erase(found);
    return value;
  }

  const Json& rest() const { return facts_; }

 private:
  Json facts_;
};

void print_row(std::string_view name, const std::string& value) { fmt::print("  {:<16} {}\n", name, value); }

std::string state_text(uint64_t dirty_bytes, uint64_t dirty_files) {
  if (dirty_bytes == 0 && dirty_files == 0) return "everything is out";
  return fmt::format("{} file{}, {} still to flush", dirty_files, dirty_files == 1 ? "" : "s",
                     format_bytes(dirty_bytes));
}

// Of a cluster.
std::string unknown_text(uint64_t silent) {
  return fmt::format("not known: {} server{} not answer", silent, silent == 1 ? " does" : "s do");
}

std::string share_text(uint64_t used, uint64_t capacity) {
  if (capacity == 0) return format_bytes(used);
  return fmt::format("{} of {} ({:.0f}%)", format_bytes(used), format_bytes(capacity),
                     100.0 * static_cast<double>(used) / static_cast<double>(capacity));
}

// `forebay targets` tells more.
std::string online_text(const Json& targets) {
  const auto online = std::count_if(targets.begin(), targets.end(), [](const Json& target) {
    return target.value("reachability", "online") == "online" && target.value("consistency", "good") == "good";
  });
  return fmt::format("{} of {} online and good", online, targets.size());
}

// It is asked every second; what is said of targets is as old.
std::string silence_text(uint64_t seconds) {
  constexpr uint64_t kNoticed = 4;
  return seconds < kNoticed ? "" : fmt::format(" (does not answer for {} s)", seconds);
}

std::string hits_text(uint64_t hits, uint64_t misses) {
  if (hits + misses == 0) return "none yet";
  return fmt::format("{} of {} ({:.1f}%)", hits, hits + misses,
                     100.0 * static_cast<double>(hits) / static_cast<double>(hits + misses));
}

// "flushed_bytes" -> "flushed"
std::string plain_name(std::string name) {
  if (name.ends_with("_bytes")) name.resize(name.size() - std::string_view("_bytes").size());
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string plain_value(const std::string& key, const Json& value) {
  if (key.ends_with("_bytes") && value.is_number_unsigned()) return format_bytes(value.get<uint64_t>());
  if (value.is_string()) return one_line(value.get<std::string>());
  if (!value.is_object() && !value.is_array()) return value.dump();
  // "0 normal, 1 low": the values alone, whatever they are of.
  std::string list;
  for (const Json& item : value) {
    list += (list.empty() ? "" : value.is_object() ? " " : ", ") + plain_value({}, item);
  }
  return list;
}

std::string links_text(const Json& links) {
  std::string text;
  for (const Json& link : links) {
    const std::string directory = link.value("directory", "-");
    const bool transient = link.value("transient", false);
    text += (text.empty() ? "" : ", ") + directory + (transient ? " (transient)" : "=" + link.value("external", "-"));
  }
  return one_line(text);
}

void print_status(const Json& json) {
  Facts facts(json);
  fmt::print("{}\n", facts.text("mountpoint"));
  print_row("external", facts.text("external"));
  if (const Json links = facts.take("links"); links.is_array()) print_row("links", links_text(links));
  if (const std::string cache = facts.text("cache"); cache != "-") print_row("cache", cache);
  if (const std::string mgmtd = facts.text("mgmtd"); mgmtd != "-") {
    print_row("mgmtd", mgmtd + silence_text(facts.number("mgmtd_silent_s")));
  }
  const uint64_t dirty_bytes = facts.number("dirty_bytes"), dirty_files = facts.number("dirty_files");
  const uint64_t silent = facts.number("silent_servers");
  print_row("state", silent > 0 ? unknown_text(silent) : state_text(dirty_bytes, dirty_files));
  const uint64_t used = facts.number("used_bytes");
  print_row("used", share_text(used, facts.number("capacity_bytes")));
  print_row("cached files", std::to_string(facts.number("cached_files")));
  const uint64_t hits = facts.number("hits");
  print_row("hits", hits_text(hits, facts.number("misses")));
  print_row("flush failures", std::to_string(facts.number("flush_failures")));
  print_row("conflicts", std::to_string(facts.number("conflicts")));
  print_row("passthrough", facts.text("passthrough"));
  print_row("io_uring", facts.text("io_uring"));
  print_row("splice", facts.text("splice"));
  const std::string pid = facts.text("pid"), version = facts.text("version");
  const auto uptime = format_duration(std::chrono::seconds(static_cast<int64_t>(facts.number("uptime_s"))));
  print_row("served by", fmt::format("process {}, version {}, for {}", pid, version, uptime));
  if (const Json targets = facts.take("targets"); targets.is_array()) print_row("targets", online_text(targets));
  // A newer mount may have more to say than this command knows.
  for (const auto& [key, value] : facts.rest().items()) print_row(one_line(plain_name(key)), plain_value(key, value));
}

void print_json(const Json& json) { fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace)); }

int status_of(const StatusOptions& options) {
  const auto facts = read_facts(options.mountpoint, cachefs::kXattrStatus);
  if (!facts) return report(facts.error());
  if (options.json) {
    print_json(*facts);
  } else {
    print_status(*facts);
  }
  return 0;
}

int status_of_all(bool json) {
  const auto table = cachefs::read_mount_table();
  if (!table) return report(table.error());
  int exit_status = 0;
  Json all = Json::array();
  std::set<dev_t> seen;  // a bind mount of a mount is no other mount
  for (const cachefs::MountEntry& entry : *table) {
    if (entry.type != cachefs::kMountType || !seen.insert(entry.device).second) continue;
    auto facts = read_facts(entry.mountpoint, cachefs::kXattrStatus);
    if (facts) {
      all.push_back(*std::move(facts));
    } else {
      exit_status = report(facts.error());
    }
  }
  if (json) {
    print_json(all);
  } else if (all.empty() && exit_status == 0) {
    fmt::print("no forebay mounts\n");
  }
  for (size_t i = 0; i < all.size() && !json; ++i) {
    if (i > 0) fmt::print("\n");
    print_status(all[i]);
  }
  return exit_status;
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
  const auto options = std::make_shared<StatusOptions>();
  CLI::App* const command =
      app.add_subcommand("status", "Show how full a cache is and what is still to be flushed")->group("Commands");
  command->add_option("MOUNTPOINT", options->mountpoint, "the mount; without it, all of them")->type_name("");
  command->add_flag("--json", options->json, "as a JSON object; without MOUNTPOINT, an array of them");
  command->footer(
      "Example: is everything outside?\n"
      "  test \"$(forebay status --json /fast | jq .dirty_bytes)\" = 0 && echo yes");
  command->callback([&action, options] {
    action = [options] { return options->mountpoint.empty() ? status_of_all(options->json) : status_of(*options); };
  });
}

}  // namespace forebay::cli
