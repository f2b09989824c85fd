#include "tests/support/real_slurm.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <stdexcept>

#include "tests/support/files.h"

namespace forebay::test {
namespace {

// Nothing that needs cgroups: they are those of the machine. It looks for jobs to start as often as it can.
constexpr char kSlurmSettings[] = R"(ClusterName=test
SlurmctldHost=n1
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/linear
MpiDefault=none
ReturnToService=2
StateSaveLocation=/run/slurm/state
SlurmdSpoolDir=/run/slurm/spool
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmdPidFile=/run/slurm/slurmd.pid
SlurmctldLogFile=/run/slurm/slurmctld.log
SlurmdLogFile=/run/slurm/slurmd.log
SchedulerParameters=sched_min_interval=10000,sched_interval=1,bf_interval=1,batch_sched_delay=0
NodeName=n[1-{}] CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=EXCLUSIVE
)";

}  // namespace

RealSlurm::RealSlurm(RealHosts& hosts, const std::string& settings, bool nodes) : hosts_(hosts) {
  const std::string directory = hosts.shared("slurm");
  ::mkdir(directory.c_str(), 0755);
  std::string text = fmt::format(kSlurmSettings, hosts.hosts());
  for (size_t at = 0; at < settings.size();) {  // what is there twice is refused
    const size_t end = std::min(settings.find('\n', at), settings.size());
    const std::string line = settings.substr(at, end - at), key = line.substr(0, line.find('=') + 1);
    if (const size_t old = text.find(key); old != text.npos) text.erase(old, text.find('\n', old) + 1 - old);
    text += line + "\n";
    at = end + 1;
  }
  write_file(directory + "/slurm.conf", text);
  write_file(hosts.shared("munge.key"), noise(1024));
  ::chmod(hosts.shared("munge.key").c_str(), 0600);
  for (int host = 1; host <= hosts.hosts(); ++host) {
    hosts.run(host, "mount --bind " + directory +
                        " /etc/slurm && mkdir /run/munge /run/slurm && munged --force --key-file=" +
                        hosts.shared("munge.key") +
                        " --socket=/run/munge/munge.socket.2 --pid-file=/run/munge/pid --log-file=/run/munge/log "
                        "--seed-file=/run/munge/seed 2>/dev/null");
    if (host == 1) hosts.run(1, "slurmctld");
    if (nodes) hosts.run(host, "slurmd");
  }
}

ProcessResult RealSlurm::in_job(const std::vector<std::string>& words) const {
  std::vector<std::string> all = {"salloc", "--quiet", "--nodes=" + std::to_string(hosts_.hosts())};
  all.insert(all.end(), words.begin(), words.end());
  return hosts_.try_run(1, all);
}

void RealSlurm::submit(const std::string& script) const {
  hosts_.run(1, fmt::format("printf '#!/bin/sh\\n%s\\n' '{}' | sbatch --nodes={} --output=/run/slurm/job.out", script,
                            hosts_.hosts()));
}

void RealSlurm::await_jobs() const { hosts_.run(1, "while squeue --noheader | grep -q .; do sleep 0.1; done"); }

}  // namespace forebay::test
