#include "cachefs/mount.h"

#include <unistd.h>

#include <filesystem>
#include <memory>

#include "cachefs/cache_directory.h"
#include "cachefs/mount_table.h"
#include "cli/commands/commands.h"
#include "cli/detached.h"
#include "cli/link_options.h"
#include "cli/output.h"
#include "core/log.h"

namespace forebay::cli {
namespace {

constexpr char kJournalSocket[] = "/run/systemd/journal/socket";
constexpr char kLogName[] = "/forebay.log", kClientLogName[] = "/client.log";

struct Options {
  cachefs::MountOptions mount;
  std::string config_file;
  std::vector<std::string> settings;
  std::vector<std::string> option_lists;
  std::vector<std::string> links, transients;
  bool foreground = false;
};

Status apply_settings(const Options& options, Config& config) {
  if (!options.config_file.empty()) RETURN_IF_ERROR(load_config_file(config, options.config_file));
  for (const std::string& setting : options.settings) {
    const size_t equals = setting.find('=');
    if (equals == setting.npos) return fail(EINVAL, "--set {}: expected KEY=VALUE", setting);
    RETURN_IF_ERROR(set_config_key(config, setting.substr(0, equals), setting.substr(equals + 1)));
  }
  if (config.cluster.mgmtd != "none" && !(options.links.empty() && options.transients.empty())) {
    return fail(EINVAL, "--link, --transient: those of a cluster are given to forebay cluster start");
  }
  RETURN_IF_ERROR(add_links(options.links, options.transients, config));
  return check_config(config);
}

// "-o a,b -o c" -> a, b, c
std::vector<std::string> split_options(const std::vector<std::string>& lists) {
  std::vector<std::string> options;
  for (const std::string& list : lists) {
    for (size_t at = 0; at <= list.size();) {
      const size_t comma = std::min(list.find(',', at), list.size());
      if (comma > at) options.push_back(list.substr(at, comma - at));
      at = comma + 1;
    }
  }
  return options;
}

std::string log_target(const Options& options) {
  const std::string& target = options.mount.config.log.target;
  if (target != "auto") return target;
  if (options.foreground) return "stderr";
  if (::access(kJournalSocket, W_OK) == 0) return "journal";
  if (!options.mount.in_cluster()) return options.mount.caches.front() + kLogName;
  // Beside those of the daemons.
  if (options.config_file.empty()) return "stderr";
  std::error_code error;
  return std::filesystem::absolute(options.config_file, error).parent_path().string() + kClientLogName;
}

// Everything that needs to be written happens here, in the process that will serve the mount.
Status serve(const Options& options, const std::function<void()>& ready) {
  std::vector<std::string> made;
  if (!options.mount.in_cluster()) {
    ASSIGN_OR_RETURN(made, cachefs::make_cache_directory(options.mount.caches.front()));
  }
  const std::string log = log_target(options);
  const bool made_log = log.starts_with('/') && ::access(log.c_str(), F_OK) != 0;
  bool mounted = false;
  Status status = start_log(log, options.mount.config.log.level);
  if (status) {
    status = cachefs::run_mount(options.mount, [&] {
      mounted = true;
      ready();
    });
  }
  if (!status && !mounted) {
    // Nothing came of it: nothing is left behind.
    if (made_log) ::unlink(log.c_str());
    for (; !made.empty(); made.pop_back()) ::rmdir(made.back().c_str());
  }
  return status;
}

void say_mounted(const cachefs::MountOptions& mount) {
  if (::isatty(STDOUT_FILENO) != 1) return;
  fmt::print("{} is mounted on {}, cached in {}\n", one_line(mount.external), one_line(mount.mountpoint),
             mount.in_cluster() ? "the cluster of " + mount.config.cluster.mgmtd : one_line(mount.caches.front()));
  std::fflush(stdout);
}

int run_in_foreground(const Options& options) {
  const Status status = serve(options, [&options] { say_mounted(options.mount); });
  return status ? 0 : report(status.error());
}

int run_as_daemon(const Options& options) {
  const pid_t caller = ::getpid();
  const int exit_status = run_detached([&options](const auto& ready) { return serve(options, ready); });
  if (::getpid() != caller) return exit_status;
  if (exit_status == 0) {
    say_mounted(options.mount);
  } else if (cachefs::is_dead_mount(options.mount.mountpoint)) {
    // The process died between mounting and saying so.
    if (const Status detached = cachefs::detach_mount(options.mount.mountpoint, true); !detached) {
      return report(detached.error());
    }
  }
  return exit_status;
}

int run_mount_command(Options& options) {
  options.mount.fuse_options = split_options(options.option_lists);
  if (const Status set = apply_settings(options, options.mount.config); !set) return report(set.error());
  if (const Status checked = cachefs::check_mount(options.mount); !checked) return report(checked.error());
  return options.foreground ? run_in_foreground(options) : run_as_daemon(options);
}

constexpr char kExample[] = R"(Examples:
  forebay mount /gpfs/project /fast
  forebay mount /gpfs/project /fast --cache /nvme/cache --set cache.capacity=200GiB
  forebay mount /gpfs/project /fast --link home=/gpfs/home --transient scratch
  forebay mount /gpfs/project /fast --set flush.policy=manual     only `forebay flush` brings data out

Without --cache, the data lie below /var/cache/forebay, for ordinary users below ~/.cache/forebay.

It returns when /fast is there; exit status 0 means that it is. A mount that was killed is mounted again with the
same command: what was in the cache is in it again. `forebay config keys` lists what --set can say.)";

}  // namespace

void add_mount(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("mount", "Mount a cache over a directory")->group("Commands");
  command->add_option("EXTERNAL", options->mount.external, "the directory to cache")->type_name("")->required();
  command->add_option("MOUNTPOINT", options->mount.mountpoint, "an empty directory, where it appears")
      ->type_name("")
      ->required();
  command->add_option("--cache", options->mount.caches, "where the cached data lie, best on local flash (see below)")
      ->type_name("DIR")
      ->allow_extra_args(false);
  command->add_option("--config", options->config_file, "a TOML file with settings")->type_name("FILE");
  add_link_options(*command, options->links, options->transients);
  command->add_option("--set", options->settings, "one setting, before all others; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("-o", options->option_lists, "mount options, such as ro, noexec, allow_other")
      ->type_name("OPT,OPT")
      ->allow_extra_args(false);
  command->add_flag("--foreground", options->foreground, "stay, and write the log to stderr");
  command->footer(kExample);
  command->callback([&action, options] { action = [options] { return run_mount_command(*options); }; });
}

}  // namespace forebay::cli
