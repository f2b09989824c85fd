#include "tests/support/test_cluster.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "tests/support/binaries.h"

namespace forebay::test {
namespace {

constexpr std::chrono::seconds kLongestStart{120};

void expect_success(const ProcessResult& result, const std::string& what) {
  if (result.exit_status == 0) return;
  throw std::runtime_error(what + ": " + result.err);
}

// So that any test can be tried with several.
int usual_metads(int nodes) {
  const char* const text = std::getenv("FOREBAY_TEST_METADS");
  return text == nullptr ? 1 : std::clamp(std::stoi(text), 1, nodes);
}

}  // namespace

TestCluster::TestCluster(int nodes, const Settings& settings, const std::string& external, int metads) : nodes_(nodes) {
  if (!external.empty()) external_ = external;
  std::string names;
  for (int node = 1; node <= nodes; ++node) names += "n" + std::to_string(node) + "\n";
  write_file(node_file_, names);
  std::vector<std::string> words = command("start");
  if (metads == 0) metads = usual_metads(nodes);
  words.insert(words.end(), {"-l", external_});
  for (const std::string& setting : common_settings()) words.insert(words.end(), {"--set", setting});
  for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
  std::string stop = FOREBAY_BINARY;
  for (const std::string& word : command("stop")) stop += " '" + word + "'";
  reaper_.run(stop + " --discard");
  running_ = true;  // from here on something may be there
  start_ = words;
  start_.insert(start_.end(), {"--metad", std::to_string(metads)});
  start_again();
}

TestCluster::~TestCluster() {
  if (!running_) return;
  std::vector<std::string> words = command("stop");
  words.push_back("--discard");
  if (const ProcessResult stopped = try_run(words); stopped.exit_status != 0) {
    std::cerr << "the cluster could not be stopped: " << stopped.err << "\n";
  }
}

std::vector<std::string> TestCluster::command(const std::string& what) const {
  return {"cluster", what, "-n", node_file_, "-d", data_, "-c", mounts_, "--launcher", "netns"};
}

void TestCluster::run(const std::vector<std::string>& words) { expect_success(try_run(words), words.front()); }

ProcessResult TestCluster::try_run(const std::vector<std::string>& words) {
  std::vector<std::string> all{FOREBAY_BINARY};
  all.insert(all.end(), words.begin(), words.end());
  return run_process(all, {.timeout = kLongestStart, .environment = {}, .directory = {}, .user = {}});
}

Json TestCluster::stat(int node, const std::string& name) {
  const ProcessResult result = try_run({"stat", "--json", inside(node, name)});
  expect_success(result, "stat");
  return Json::parse(result.out);
}

Json TestCluster::status(int node) {
  const ProcessResult result = try_run({"status", "--json", mountpoint(node)});
  expect_success(result, "status");
  return Json::parse(result.out);
}

void TestCluster::end_storaged(int node) {
  const pid_t pid = std::stoi(read_file(data(node) + "/storaged.pid"));
  if (::kill(pid, SIGTERM) != 0) throw std::runtime_error("no storaged on node " + std::to_string(node));
  const std::string name = "n" + std::to_string(node);
  const auto is_missed = [&] {
    const Json known = status(node);
    const Json& targets = known.at("targets");
    return std::any_of(targets.begin(), targets.end(), [&](const Json& target) {
      return target.at("node") == name && target.at("reachability") != "online";
    });
  };
  const auto deadline = std::chrono::steady_clock::now() + kLongestStart;
  while (!is_missed()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("nobody misses the target of " + name);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void TestCluster::kill_daemon(int node, const std::string& role, int signal) {
  const pid_t pid = std::stoi(read_file(data(node) + "/" + role + ".pid"));
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (process < 0 || ::kill(pid, signal) != 0) throw std::runtime_error("no " + role + " on this node");
  pollfd ended = {process, POLLIN, 0};
  (void)::poll(&ended, 1, -1);
  ::close(process);
}

void TestCluster::start_again() { expect_success(try_run(start_), "cluster start"); }

ProcessResult TestCluster::try_start(int metads) {
  running_ = true;
  std::vector<std::string> words = start_;
  words.back() = std::to_string(metads);
  return try_run(words);
}

void TestCluster::run_on(int node, const std::vector<std::string>& words) {
  const std::string storaged = std::to_string(std::stoi(read_file(data(node) + "/storaged.pid")));
  std::vector<std::string> all{"nsenter", "--net=/proc/" + storaged + "/ns/net"};
  all.insert(all.end(), words.begin(), words.end());
  expect_success(run_process(all), words.front());
}

void TestCluster::limit(int node, uint64_t bytes_per_second) {
  constexpr uint64_t kBurstBytes = 64 << 10;
  run_on(node, {"tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate",
                std::to_string(bytes_per_second * 8) + "bit", "burst", std::to_string(kBurstBytes), "latency", "50ms"});
}

void TestCluster::kill_client(int node) {
  const pid_t process = status(node).at("pid");
  const int watched = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  ::kill(process, SIGKILL);
  pollfd ended{watched, POLLIN, 0};
  while (::poll(&ended, 1, -1) < 0 && errno == EINTR) continue;
  ::close(watched);
}

void TestCluster::stop() {
  expect_success(try_run(command("stop")), "cluster stop");
  running_ = false;
}

}  // namespace forebay::test
