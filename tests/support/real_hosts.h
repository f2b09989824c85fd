// Hosts of their own on this machine, as near to real ones as it goes: each has its own network, mounts, processes,
// name, /tmp, /run and directory for data, and a real sshd that lets root of the others in with a key.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/reaper.h"
#include "tests/support/temp_dir.h"

namespace forebay::test {

class RealHosts {
 public:
  // They are called n1, n2, ... and know each other by these names. Failures throw.
  explicit RealHosts(int hosts);
  // Nothing is left of them: no process, no mount, no namespace, no file.
  ~RealHosts();
  RealHosts(const RealHosts&) = delete;
  RealHosts& operator=(const RealHosts&) = delete;

  int hosts() const { return static_cast<int>(inits_.size()); }
  static std::string name(int host) { return "n" + std::to_string(host); }

  // Runs `words` on a host, by root; what they start stays there.
  ProcessResult try_run(int host, const std::vector<std::string>& words,
                        const std::vector<std::string>& environment = {}) const;
  // The same, of a script; its standard output. Throws if it fails.
  std::string run(int host, const std::string& script) const;

  void start_sshd(int host);
  void end_sshd(int host);
  // Whoever logs in there: his key is another one.
  void forget_keys(int host);
  // For the others, it is not the host that they know.
  void change_host_key(int host);

  // On this host, the program is `run` from now on: a command that takes its arguments, with variables before it.
  void wrap_program(int host, const std::string& environment, const std::string& run);

  // These are the same path on each host. What is at it is one directory for all,
  std::string external() const { return root_ / "external"; }
  std::string shared(const std::string& name) const { return root_ / ("shared/" + name); }
  // or one for each: it begins empty,
  std::string own(const std::string& name) const { return root_ / ("own/" + name); }
  // or the program under test.
  std::string program() const { return program_directory() + "/forebay"; }
  // The same always, and the one that has faults.
  std::string program_as_built() const { return program() + "-as-built"; }
  std::string faulty_program() const { return program() + "-faulty"; }
  std::string program_directory() const { return root_ / "bin"; }

  // Where own() of a host is for us.
  std::string from_outside(int host, const std::string& name) const { return root_ / (name_of_own(host) + "/" + name); }

 private:
  static std::string name_of_own(int host) { return "own-of-" + name(host); }
  void make_files(int hosts);
  void make_keys(int hosts);
  void boot(int host);
  void connect(int host);

  // Not /tmp, of which each host has its own.
  const TempDir root_{"/var/tmp"};
  Reaper reaper_{root_.path()};
  std::vector<pid_t> inits_;
};

}  // namespace forebay::test
