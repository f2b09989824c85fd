#include "tests/support/real_hosts.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "tests/support/binaries.h"
#include "tests/support/files.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;

// The first process of a host. What its daemons leave to it is reaped by the kernel. The program comes first: it may
// lie where something else is mounted afterwards.
constexpr char kHostInit[] = R"sh(
set -e
root=$1 name=$2 program=$3 faulty=$4
mount --make-rprivate /
# Copies of mounts that others have on this machine: they would keep them alive.
for mounted in $(findmnt --raw --noheadings --output TARGET,FSTYPE | sed -n 's/ fuse.*//p'); do umount -l "$mounted"; done
mount -t proc proc /proc
mount --bind "$faulty" "$root/bin/forebay-faulty"
mount --bind "$program" "$root/bin/forebay-as-built"
mount --bind "$program" "$root/bin/forebay"
mount --bind "$root/own-of-$name" "$root/own"
mount --bind "$root/home-of-$name" /root
mount --bind "$root/hosts" /etc/hosts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir /run/sshd
hostname "$name"
ip link set lo up
: >"$root/own/.up"
trap '' CHLD
exec sleep infinity
)sh";

// As it is on many a site: who comes in is greeted, twice. The usual exchange of keys takes longer than all the rest.
constexpr char kSshdSettings[] = R"(HostKey {0}/host-key-of-{1}
Banner {0}/banner
KexAlgorithms curve25519-sha256
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile /run/sshd.pid
)";
constexpr char kRootProfile[] = "echo \"Welcome to $(hostname)\"\n";

std::string host_address(int host) { return "10.98.0." + std::to_string(host); }

void require_ok(const ProcessResult& result, const std::string& what) {
  if (!result.ok()) throw std::runtime_error(fmt::format("{}: {}", what, describe(result)));
}

void run_here(const std::vector<std::string>& words) {
  require_ok(run_process(words), fmt::format("{}", words.front()));
}

void make_key(const std::string& path) {
  run_here({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path});
}

[[noreturn]] void become_init(const std::vector<std::string>& words) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // and with the first process, all others of the host
  ::setsid();
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments.front(), arguments.data());
  ::_exit(127);
}

std::vector<std::string> in_network_of(pid_t init, std::vector<std::string> words) {
  words.insert(words.begin(), {"nsenter", fmt::format("--net=/proc/{}/ns/net", init)});
  return words;
}

}  // namespace

RealHosts::RealHosts(int hosts) {
  make_files(hosts);
  make_keys(hosts);
  for (int host = 1; host <= hosts; ++host) boot(host);
  for (int host = 1; host <= hosts; ++host) connect(host);
  for (int host = 1; host <= hosts; ++host) start_sshd(host);
}

RealHosts::~RealHosts() {
  // All processes of a host have ended when its first one has.
  for (const pid_t init : inits_) ::kill(init, SIGKILL);
  for (const pid_t init : inits_) {
    while (::waitpid(init, nullptr, 0) < 0 && errno == EINTR) continue;
  }
}

void RealHosts::make_files(int hosts) {
  for (const char* directory : {"external", "shared", "own", "bin"}) root_.make(directory);
  for (const char* suffix : {"", "-as-built", "-faulty"}) write_file(program() + suffix, "");
  write_file(root_ / "banner", "Authorised use only\n");
  std::string names = "127.0.0.1 localhost\n";
  for (int host = 1; host <= hosts; ++host) {
    root_.make(name_of_own(host));
    names += host_address(host) + " " + name(host) + "\n";
  }
  write_file(root_ / "hosts", names);
}

void RealHosts::make_keys(int hosts) {
  std::string known;
  make_key(root_ / "key");
  for (int host = 1; host <= hosts; ++host) {
    const std::string host_key = root_ / ("host-key-of-" + name(host));
    make_key(host_key);
    known += fmt::format("{},{} {}", name(host), host_address(host), read_file(host_key + ".pub"));
    write_file(root_ / ("sshd-of-" + name(host)), fmt::format(kSshdSettings, root_.path(), name(host)));
  }
  for (int host = 1; host <= hosts; ++host) {
    const std::string home = root_.make("home-of-" + name(host));
    const std::string keys = root_.make("home-of-" + name(host) + "/.ssh");
    write_file(home + "/.bashrc", kRootProfile);
    write_file(keys + "/known_hosts", known);
    write_file(keys + "/authorized_keys", read_file(root_ / "key.pub"));
    std::filesystem::copy_file(root_ / "key", keys + "/id_ed25519");
    for (const std::string& path : {home, keys}) ::chmod(path.c_str(), 0700);
    ::chmod((keys + "/id_ed25519").c_str(), 0600);
  }
}

void RealHosts::boot(int host) {
  const std::vector<std::string> words = {"bash",       "-c",       kHostInit,      "bash",
                                          root_.path(), name(host), FOREBAY_BINARY, FOREBAY_FAULTY_BINARY};
  constexpr long kOwn = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
  const auto init = static_cast<pid_t>(::syscall(SYS_clone, kOwn | SIGCHLD, 0, 0, 0, 0));
  if (init < 0) throw std::runtime_error("clone of " + name(host));
  if (init == 0) become_init(words);
  inits_.push_back(init);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!exists(from_outside(host, ".up"))) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error(name(host) + " does not come up");
    std::this_thread::sleep_for(5ms);
  }
  std::filesystem::remove(from_outside(host, ".up"));
}

// The first host has the bridge as well.
void RealHosts::connect(int host) {
  const pid_t first = inits_.front(), init = inits_[static_cast<size_t>(host) - 1];
  const std::string device = host == 1 ? "br0" : "eth0";
  if (host == 1) {
    run_here(in_network_of(first, {"ip", "link", "add", "br0", "type", "bridge"}));
  } else {
    const std::string port = "p" + std::to_string(host);
    run_here(in_network_of(
        first, {"ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", std::to_string(init)}));
    run_here(in_network_of(first, {"ip", "link", "set", port, "master", "br0", "up"}));
  }
  run_here(in_network_of(init, {"ip", "address", "add", host_address(host) + "/24", "dev", device}));
  run_here(in_network_of(init, {"ip", "link", "set", device, "up"}));
}

ProcessResult RealHosts::try_run(int host, const std::vector<std::string>& words,
                                 const std::vector<std::string>& environment) const {
  std::vector<std::string> all = {"nsenter", "--target", std::to_string(inits_.at(static_cast<size_t>(host) - 1)),
                                  "--net",   "--mount",  "--pid",
                                  "--uts",   "--ipc",    "--"};
  all.insert(all.end(), words.begin(), words.end());
  return run_process(all, {.timeout = 120s, .environment = environment, .directory = {}, .user = {}});
}

std::string RealHosts::run(int host, const std::string& script) const {
  const ProcessResult result = try_run(host, {"sh", "-c", script});
  require_ok(result, name(host) + ": " + script);
  return result.out;
}

void RealHosts::wrap_program(int host, const std::string& environment, const std::string& run) {
  const std::string wrapper = root_ / ("wrapper-of-" + name(host));
  write_file(wrapper, "#!/bin/sh\n" + environment + " exec " + run + " \"$@\"\n");
  ::chmod(wrapper.c_str(), 0755);
  this->run(host, "mount --bind " + wrapper + " " + program());
}

void RealHosts::start_sshd(int host) { run(host, "/usr/sbin/sshd -f " + (root_ / ("sshd-of-" + name(host)))); }

void RealHosts::end_sshd(int host) {
  run(host, "kill $(cat /run/sshd.pid); while [ -e /run/sshd.pid ]; do sleep 0.01; done");
}

void RealHosts::forget_keys(int host) { run(host, ": >/root/.ssh/authorized_keys"); }

void RealHosts::change_host_key(int host) {
  const std::string key = root_ / ("host-key-of-" + name(host));
  std::filesystem::remove(key);
  make_key(key);
  end_sshd(host);
  start_sshd(host);
}

}  // namespace forebay::test
