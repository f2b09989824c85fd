#include "cli/cluster/cluster.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>

#include "cli/cluster/on_node.h"
#include "cli/commands/commands.h"
#include "cli/interrupt.h"
#include "cli/link_options.h"
#include "cli/output.h"
#include "core/io.h"

namespace forebay::cli {
namespace {

constexpr char kClusterExample[] = R"(Examples:
  forebay cluster start -n nodes -d /nvme/forebay -c /fast -l /gpfs/project
  forebay cluster stop  -n nodes -d /nvme/forebay -c /fast

`nodes` has one host a line, or Slurm's node[01-04,07]. /fast is there on all of them then, and is one tree.)";

constexpr char kStartExample[] = R"(Examples:
  forebay cluster start -n nodes -d /nvme/forebay -c /fast -l /gpfs/project
  forebay cluster start -n nodes -d /nvme/forebay -c /fast -l /gpfs/project --set flush.delay=30s
  forebay cluster start -n three -d /tmp/d -c /tmp/c -l /data --launcher netns     try it on one machine, as root:
                                                              the mounts are /tmp/c/HOST

It returns when everything runs; exit status 0 means that it does. When something fails, what was started is stopped
again. Started again, it starts what does not run of it.)";

constexpr char kStopExample[] = R"(Examples:
  forebay cluster stop -n nodes -d /nvme/forebay -c /fast
  forebay cluster stop -n nodes -d /nvme/forebay -c /fast --purge      and removes the cached data

All clients are flushed and unmounted first. If one cannot be, the daemons go on running, and the exit status is 1.)";

Status find_program(ClusterOptions& options) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path found =
      options.program.empty() ? fs::read_symlink("/proc/self/exe", error) : fs::absolute(options.program, error);
  if (error) return fail(error.value(), "--program {}", options.program);
  options.program = found;
  return {};
}

int run_cluster(ClusterOptions options, Status (*what)(ClusterOptions)) {
  if (const Status found = find_program(options); !found) return report(found.error());
  for (const std::string& setting : options.settings) {
    if (setting.find('=') == setting.npos)
      return report(Error{EINVAL, fmt::format("--set {}: expected KEY=VALUE", setting)});
  }
  catch_interrupts();
  const Status status = what(std::move(options));
  release_interrupts();
  if (status) return 0;
  report(status.error());
  return interrupted() ? kExitInterrupted : kExitFailure;
}

int run_on_node(const std::string& text) {
  const auto request = nlohmann::json::parse(text, nullptr, false);
  std::string input;
  if (request.is_object() && request.contains("do") && request["do"] == "prepare") input = read_rest(std::cin);
  const auto answer = serve_on_node(request, input);
  if (!answer) return report(answer.error());
  fmt::print("{}\n", answer->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
  return 0;
}

void add_common_options(CLI::App& command, ClusterOptions& options) {
  command.add_option("-n,--nodefile", options.node_file, "the hosts, one a line")->type_name("FILE")->required();
  command.add_option("-d,--data", options.data, "on each host: for the cached data, best on local flash")
      ->type_name("DIR")
      ->required();
  command.add_option("-c,--mount", options.mount, "on each host: where the tree appears")->type_name("DIR")->required();
  command.add_option("--launcher", options.launcher, "how hosts are reached: ssh (default), pdsh, srun, netns")
      ->type_name("NAME");
  command.add_option("--program", options.program, "forebay on the hosts; default: the path of this one")
      ->type_name("PATH");
}

void add_cluster_start(CLI::App& cluster, Action& action) {
  const auto options = std::make_shared<ClusterOptions>();
  CLI::App* const command =
      cluster.add_subcommand("start", "Start the daemons on all hosts and mount there")->group("Commands");
  add_common_options(*command, *options);
  command->add_option("-l,--external", options->external, "the directory to cache, which all hosts see")
      ->type_name("DIR")
      ->required();
  add_link_options(*command, options->links, options->transients);
  command->add_option("--metad", options->metads, "how many metadata servers; default: 1")->type_name("N");
  command->add_option("--set", options->settings, "one setting for all daemons and mounts; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->footer(kStartExample);
  command->callback([&action, options] { action = [options] { return run_cluster(*options, start_cluster); }; });
}

void add_cluster_stop(CLI::App& cluster, Action& action) {
  const auto options = std::make_shared<ClusterOptions>();
  CLI::App* const command =
      cluster.add_subcommand("stop", "Flush and unmount on all hosts, then stop the daemons")->group("Commands");
  add_common_options(*command, *options);
  // So that the line that started it can be used again.
  command->add_option("-l,--external", options->external, "not needed")->type_name("DIR");
  command->add_flag("--discard", options->discard, "give up what was not flushed yet, and hosts that do not answer");
  command->add_flag("--purge", options->purge, "then remove the data directory on each host");
  command->footer(kStopExample);
  command->callback([&action, options] { action = [options] { return run_cluster(*options, stop_cluster); }; });
}

}  // namespace

void add_cluster(CLI::App& app, Action& action) {
  CLI::App* const cluster =
      app.add_subcommand("cluster", "Start or stop a cache that spans several hosts")->group("Commands");
  cluster->require_subcommand(1);
  cluster->footer(kClusterExample);
  add_cluster_start(*cluster, action);
  add_cluster_stop(*cluster, action);

  // What start and stop do on each host; not for people, so in no group.
  const auto request = std::make_shared<std::string>();
  CLI::App* const on_node = cluster->add_subcommand("on-node")->group("");
  on_node->add_option("REQUEST", *request)->required();
  on_node->callback([&action, request] { action = [request] { return run_on_node(*request); }; });
}

}  // namespace forebay::cli
