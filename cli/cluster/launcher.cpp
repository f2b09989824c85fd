#include "cli/cluster/launcher.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <cstdlib>

#include "cli/cluster/netns.h"
#include "cli/cluster/pdsh.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kConfigLimit = 15s;
constexpr std::string_view kEndsWithStep = "proctrack/cgroup";  // what is left of a step does not outlive it
constexpr std::string_view kPlainLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,@";  // that sh takes as they are

std::string shell_word(const std::string& word) {
  if (!word.empty() && word.find_first_not_of(kPlainLetters) == word.npos) return word;
  std::string safe = "'";
  for (const char c : word) safe += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return safe + "'";
}

class SshLauncher : public Launcher {
 public:
  std::string_view name() const override { return "ssh"; }

 protected:
  // sshd gives the line to a shell, always.
  Invocation wrap(const NodeCommand& command) const override {
    Invocation invocation{{"ssh"}, command.input};
    for (const std::string_view setting : kSshSettings) {
      invocation.words.insert(invocation.words.end(), {"-o", std::string(setting)});
    }
    invocation.words.insert(invocation.words.end(), {command.host, "--", shell_line(command.words)});
    return invocation;
  }
};

// Outside of a job, each srun would be one.
Status check_job() {
  if (std::getenv("SLURM_JOB_ID") != nullptr) return {};
  return fail(EINVAL, "--launcher srun: this is no job of Slurm; give the command within salloc or sbatch");
}

class SrunLauncher : public Launcher {
 public:
  std::string_view name() const override { return "srun"; }

  // What knows no answer is no reason not to try.
  Status check_start() const override {
    const Outcome asked = run_many({{{"scontrol", "show", "config"}, ""}}, {.deadline = kConfigLimit}).front();
    if (!asked.ok() || asked.out.find(kEndsWithStep) == std::string::npos) return {};
    return fail(EINVAL, "--launcher srun: this Slurm ({}) would end the daemons at once; use --launcher ssh",
                kEndsWithStep);
  }

 protected:
  Invocation wrap(const NodeCommand& command) const override {
    Invocation invocation{{"srun", "--overlap", "-N1", "-n1", "-w", command.host}, command.input};
    invocation.words.insert(invocation.words.end(), command.words.begin(), command.words.end());
    return invocation;
  }
};

std::string number_of(const addrinfo& info) {
  char text[INET6_ADDRSTRLEN] = "";
  if (info.ai_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(*info.ai_addr);
    ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    return text;
  }
  const auto& address = reinterpret_cast<const sockaddr_in6&>(*info.ai_addr);
  ::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
  return fmt::format("[{}]", text);
}

}  // namespace

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + shell_word(word);
  return line;
}

std::vector<Outcome> Launcher::run(const std::vector<NodeCommand>& commands, const RunLimits& limits) const {
  std::vector<Invocation> invocations;
  invocations.reserve(commands.size());
  for (const NodeCommand& command : commands) invocations.push_back(wrap(command));
  return run_many(invocations, limits);
}

// A number, not the name: on the host itself the name may mean its loopback interface, where nobody else comes in.
Result<std::string> Launcher::address_of(const std::string& host) const {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    return fail(EINVAL, "{}: no address is known for this name: {}", host, ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, ::freeaddrinfo);
  std::string address;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (info->ai_family == AF_INET) return number_of(*info);
    if (info->ai_family == AF_INET6 && address.empty()) address = number_of(*info);
  }
  if (address.empty()) return fail(EINVAL, "{}: has no IP address", host);
  return address;
}

Result<std::unique_ptr<Launcher>> make_launcher(std::string_view name, const std::vector<std::string>& hosts,
                                                const std::string& data) {
  if (name == "ssh") return std::make_unique<SshLauncher>();
  if (name == "pdsh") return std::make_unique<PdshLauncher>();
  if (name == "srun") {
    RETURN_IF_ERROR(check_job());
    return std::make_unique<SrunLauncher>();
  }
  if (name == "netns") return make_netns_launcher(hosts, data);
  return fail(EINVAL, "--launcher {}: is none of ssh, pdsh, srun, netns", name);
}

}  // namespace forebay::cli
