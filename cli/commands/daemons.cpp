// mgmtd, metad, storaged: the servers of a cluster.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "cli/commands/commands.h"
#include "cli/detached.h"
#include "cli/output.h"
#include "core/io.h"
#include "core/log.h"
#include "core/unique_fd.h"
#include "meta/daemon.h"
#include "mgmt/daemon.h"
#include "storage/daemon.h"

namespace forebay::cli {
namespace {

using Run = Status (*)(const Config& config, const std::function<void()>& ready);

struct DaemonOptions {
  std::string name;
  Run run = nullptr;
  std::string config_file;
  std::vector<std::string> settings;
  bool foreground = false;
  Config config;
};

// Beside its configuration: DIRECTORY/metad.log, DIRECTORY/metad.pid.
std::string beside_config(const DaemonOptions& options, std::string_view ending) {
  const std::filesystem::path directory = std::filesystem::path(options.config_file).parent_path();
  return (directory / (options.name + std::string(ending))).string();
}

std::string log_target_of(const DaemonOptions& options) {
  const std::string& target = options.config.log.target;
  if (target != "auto") return target;
  return options.foreground ? "stderr" : beside_config(options, ".log");
}

Status write_pid(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return fail_errno("{}", path);
  const std::string text = std::to_string(::getpid()) + "\n";
  return pwrite_full(fd.get(), text.data(), text.size(), 0);
}

Status serve_daemon(const DaemonOptions& options, const std::function<void()>& ready) {
  const std::string log_file = log_target_of(options);
  const bool made_log = log_file.starts_with('/') && ::access(log_file.c_str(), F_OK) != 0;
  RETURN_IF_ERROR(start_log(log_file, options.config.log.level));
  const std::string pid_file = beside_config(options, ".pid");
  Status noted;
  bool is_ready = false;
  const Status served = options.run(options.config, [&] {
    is_ready = true;
    noted = write_pid(pid_file);
    if (!noted) log(Module::kCli).error("{}", noted.error().message());
    ready();
  });
  if (served && noted) ::unlink(pid_file.c_str());
  // Nothing came of it: nothing is left behind.
  if (!is_ready && made_log) ::unlink(log_file.c_str());
  return served;
}

Status read_settings(DaemonOptions& options) {
  std::error_code error;
  options.config_file = std::filesystem::absolute(options.config_file, error).string();
  RETURN_IF_ERROR(load_config_file(options.config, options.config_file));
  for (const std::string& setting : options.settings) {
    const size_t equals = setting.find('=');
    if (equals == setting.npos) return fail(EINVAL, "--set {}: expected KEY=VALUE", setting);
    RETURN_IF_ERROR(set_config_key(options.config, setting.substr(0, equals), setting.substr(equals + 1)));
  }
  return check_config(options.config);
}

int run_daemon_command(DaemonOptions& options) {
  if (const Status read = read_settings(options); !read) return report(read.error());
  const auto serve = [&options](const auto& ready) { return serve_daemon(options, ready); };
  if (!options.foreground) return run_detached(serve);
  const Status served = serve([] {});
  return served ? 0 : report(served.error());
}

void add_daemon(CLI::App& app, Action& action, const char* name, Run run, const char* does) {
  const auto options = std::make_shared<DaemonOptions>();
  options->name = name;
  options->run = run;
  CLI::App* const command = app.add_subcommand(name, does)->group("Daemons of a cluster");
  command->add_option("--config", options->config_file, "a TOML file with settings")->type_name("FILE")->required();
  command->add_option("--set", options->settings, "one setting, before those of the file; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--foreground", options->foreground, "stay, and write the log to stderr");
  command->footer(
      fmt::format("Returns when it answers; its log and its process id are in {0}.log and {0}.pid beside "
                  "FILE. TERM ends it in order.",
                  name));
  command->callback([&action, options] { action = [options] { return run_daemon_command(*options); }; });
}

}  // namespace

void add_daemons(CLI::App& app, Action& action) {
  add_daemon(app, action, "mgmtd", mgmt::run_daemon, "Serve who is in the cluster, in what state");
  add_daemon(app, action, "metad", meta::run_daemon, "Serve names and attributes");
  add_daemon(app, action, "storaged", storage::run_daemon, "Serve the targets of this node");
}

}  // namespace forebay::cli
