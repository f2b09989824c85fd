// A cluster on network namespaces of this machine, as a person starts it: only the command line and the mounted trees
// are touched.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "tests/support/mounted_cache.h"

namespace forebay::test {

class TestCluster {
 public:
  // Nodes are called n1, n2, ... Over `external`; without, over a directory of its own. `metads`: so many of the first
  // nodes have a metadata server; 0: as FOREBAY_TEST_METADS says, or one. Failures throw.
  explicit TestCluster(int nodes, const Settings& settings = {}, const std::string& external = {}, int metads = 0);
  // Gives up what is not flushed; nothing is left of it.
  ~TestCluster();
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  int nodes() const { return nodes_; }
  std::string mountpoint(int node) const { return mounts_ + "/n" + std::to_string(node); }
  std::string inside(int node, const std::string& name) const { return mountpoint(node) + "/" + name; }
  std::string outside(const std::string& name) const { return external_ + "/" + name; }
  std::string make(const std::string& name) const { return root_.make(name); }
  // Ends a daemon of a node in order, and waits until its absence is known.
  void end_storaged(int node);
  // The end of a daemon of a node ("metad", "storaged"), by default with kill -9, and the start of whatever is not
  // there.
  void kill_daemon(int node, const std::string& role, int signal = SIGKILL);
  void start_again();
  // After stop(): the same with another number of metadata servers.
  ProcessResult try_start(int metads);
  // Its link to the others: taken away; there again; so narrow, for what it sends.
  void cut(int node) { run_on(node, {"ip", "link", "set", "eth0", "down"}); }
  void mend(int node) { run_on(node, {"ip", "link", "set", "eth0", "up"}); }
  void limit(int node, uint64_t bytes_per_second);
  // kill -9 of the process of a node's mount; returns when it is gone. The dead mount stays.
  void kill_client(int node);
  // The directory of a node's configuration, logs and data.
  std::string data(int node) const { return data_ + "/n" + std::to_string(node); }

  // forebay WORDS
  void run(const std::vector<std::string>& words);
  ProcessResult try_run(const std::vector<std::string>& words);
  Json stat(int node, const std::string& name);
  Json status(int node);
  // forebay cluster stop: flushes.
  void stop();

 private:
  std::vector<std::string> command(const std::string& what) const;
  // In the network namespace of its host.
  void run_on(int node, const std::vector<std::string>& words);

  TempDir root_;
  Reaper reaper_{root_.path()};
  std::string external_ = root_.make("external");
  std::string mounts_ = root_.make("mounts");
  std::string data_ = root_.make("data");
  std::string node_file_ = root_ / "nodes";
  std::vector<std::string> start_;  // the words that started it
  int nodes_ = 0;
  bool running_ = false;
};

}  // namespace forebay::test
