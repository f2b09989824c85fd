// A Slurm on the hosts of real_hosts.h: munged and slurmd on each, slurmctld on the first.
#pragma once

#include <string>
#include <vector>

#include "tests/support/real_hosts.h"

namespace forebay::test {

class RealSlurm {
 public:
  // `settings` are more lines of its slurm.conf. Without `nodes`, only the controller is there. Failures throw.
  explicit RealSlurm(RealHosts& hosts, const std::string& settings = "", bool nodes = true);

  // Runs `words` on the first host, in a job that has all hosts.
  ProcessResult in_job(const std::vector<std::string>& words) const;
  // A job that runs a script on the first of all hosts; returns at once.
  void submit(const std::string& script) const;
  // Returns when no job is there any more; its EpilogSlurmctld may still run.
  void await_jobs() const;

 private:
  const RealHosts& hosts_;
};

}  // namespace forebay::test
