// Many clients of one storaged: those that are silent cost little, those that are busy all get on. The daemons are the
// real program; the clients are in this process, because so many of the real ones would be another test.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <latch>
#include <sstream>
#include <thread>

#include "core/descriptor_limit.h"
#include "core/protocol/remote_meta.h"
#include "core/protocol/remote_storage.h"
#include "core/protocol/wire/services.h"
#include "core/transport/channel.h"
#include "core/transport/socket_connection.h"
#include "tests/support/binaries.h"
#include "tests/support/files.h"
#include "tests/support/process.h"
#include "tests/support/reaper.h"
#include "tests/support/temp_dir.h"

namespace forebay::test {
namespace {

using transport::Channel;
using transport::Party;
using transport::Role;
using transport::Secret;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSoon{20};
constexpr char kSecret[] = "a secret of more than 16 bytes";

// mgmtd, metad and storaged, each behind a Unix socket of its own.
class Daemons {
 public:
  Daemons() {
    root_.make("external");
    write_file(root_ / "secret", kSecret);
    ::chmod((root_ / "secret").c_str(), 0600);
    start("mgmtd", "data = \"" + root_ / "mgmtd/data" + "\"");
    storaged_ = start("storaged", "targets = \"" + root_ / "storaged/target" + "\"");
    start("metad", "data = \"" + root_ / "metad/data" + "\"");  // the last: it knows the target from its start on
  }
  // They are of no more use, so they need not end in order.
  ~Daemons() {
    for (auto pid = pids_.rbegin(); pid != pids_.rend(); ++pid) ::kill(*pid, SIGKILL);
  }
  Daemons(const Daemons&) = delete;
  Daemons& operator=(const Daemons&) = delete;

  transport::Address address_of(const std::string& name) const { return {.path = root_ / (name + ".sock")}; }
  // A number of /proc/PID/status of storaged: VmRSS (KiB), Threads.
  size_t status_of_storaged(const std::string& key) const {
    std::istringstream lines(read_file("/proc/" + std::to_string(storaged_) + "/status"));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(key + ":")) return std::stoul(line.substr(key.size() + 1));
    }
    throw std::runtime_error("no " + key);
  }

 private:
  pid_t start(const std::string& name, const std::string& more) {
    const std::string config = root_.make(name) + "/forebay.toml";
    write_file(config, "[cluster]\nname = \"node-1\"\nmgmtd = \"unix:" + root_ / "mgmtd.sock" + "\"\nsecret_file = \"" +
                           root_ / "secret" + "\"\nexternal = \"" + root_ / "external" + "\"\n[" + name +
                           "]\nlisten = \"unix:" + root_ / (name + ".sock") + "\"\n" + more + "\n");
    const ProcessResult started = run_process({FOREBAY_BINARY, name, "--config", config});
    if (!started.ok()) throw std::runtime_error(name + ": " + describe(started));
    pids_.push_back(std::stoi(read_file(root_ / name + "/" + name + ".pid")));
    reaper_.watch(pids_.back());
    return pids_.back();
  }

  TempDir root_;
  Reaper reaper_{root_.path()};
  std::vector<pid_t> pids_;
  pid_t storaged_ = 0;
};

class Connections : public testing::Test {
 protected:
  // Of each client two ends are in this process and its child, and each has a session of its own.
  Connections() { raise_descriptor_limit(); }

  static Party client(int number) {
    return {Role::kClient, "node-1", "", transport::random_number() + static_cast<uint64_t>(number)};
  }
  // A new file, which stays open.
  std::pair<InodeId, TargetId> create() {
    const Result<CreateReply> made = meta_.create({}, kRootInode, "file", 0644, O_RDWR);
    if (!made) throw std::runtime_error(made.error().message());
    // Its target hears of it from the client; or from the metadata server, asked by the client.
    if (const auto told = meta_.reopen({}, made->id, {0, 0, 1}); !told)
      throw std::runtime_error(told.error().message());
    return {made->id, made->layout.targets.front()};
  }

  Daemons daemons_;
  Channel meta_channel_{{daemons_.address_of("metad")}, wire::kMetaServiceNumber, client(0), Secret(kSecret)};
  RemoteMeta meta_{meta_channel_};
};

TEST_F(Connections, AThousandThatAreSilentCostLittleAndDisturbNobody) {
  constexpr int kMany = 1000;
  const auto [id, target] = create();
  Channel channel({daemons_.address_of("storaged")}, wire::kStorageServiceNumber, client(0), Secret(kSecret));
  RemoteStorage storage(channel, target);
  const std::string content = noise(100'000);
  ASSERT_TRUE(storage.write(id, 0, content));
  const size_t memory_before = daemons_.status_of_storaged("VmRSS");
  const size_t threads_before = daemons_.status_of_storaged("Threads");

  std::vector<std::unique_ptr<transport::Connection>> silent;
  for (int i = 0; i < kMany; ++i) {
    Result<UniqueFd> socket = connect_to(daemons_.address_of("storaged"), kSoon);
    ASSERT_TRUE(socket) << i << ": " << socket.error().message();
    silent.push_back(std::make_unique<transport::SocketConnection>(*std::move(socket), "storaged"));
    const auto greeted = greet(*silent.back(), client(i), Secret(kSecret), 0, Clock::now() + kSoon);
    ASSERT_TRUE(greeted) << i << ": " << greeted.error().message();
  }
  const auto begin = Clock::now();
  std::string found(content.size(), '?');
  EXPECT_EQ(storage.read(id, 0, found).value_or(0), content.size());
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(1));
  EXPECT_EQ(content_difference(content, found), "");
  const size_t memory_after = daemons_.status_of_storaged("VmRSS");
  const size_t threads_after = daemons_.status_of_storaged("Threads");
  RecordProperty("kib_for_each", static_cast<int>((memory_after - std::min(memory_before, memory_after)) / kMany));
  EXPECT_LT(memory_after, memory_before + (64 << 10)) << "KiB; it was " << memory_before;
  // A few more greet, none is for one connection.
  EXPECT_LT(threads_after, threads_before + 20) << "it was " << threads_before;
}

TEST_F(Connections, TwoHundredThatAreBusyAllGetOnAndLoseNothing) {
  constexpr int kMany = 200, kRounds = 25;
  constexpr size_t kBlockBytes = 5000;  // no multiple of a page: neighbours share pages
  const auto [id, target] = create();
  const auto offset_of = [](int number, int round) {
    return (static_cast<uint64_t>(round) * kMany + static_cast<uint64_t>(number)) * kBlockBytes;
  };
  const auto block_of = [](int number, int round) {
    return noise(kBlockBytes, static_cast<unsigned>(round * kMany + number + 1));
  };
  std::atomic<int> finished{0}, wrong{0};
  std::latch all_connected(kMany);
  std::vector<std::thread> threads;
  for (int number = 0; number < kMany; ++number) {
    threads.emplace_back([&, number] {
      Channel channel({daemons_.address_of("storaged")}, wire::kStorageServiceNumber, client(number), Secret(kSecret));
      RemoteStorage storage(channel, target);
      const bool connected = storage.stat_file(id).has_value();
      all_connected.arrive_and_wait();
      if (!connected) return;
      std::string found(kBlockBytes, '?');
      for (int round = 0; round < kRounds; ++round) {
        const std::string block = block_of(number, round);
        if (!storage.write(id, offset_of(number, round), block)) return;
        const Result<size_t> bytes = storage.read(id, offset_of(number, round), found);
        if (!bytes) return;
        if (*bytes != kBlockBytes || found != block) ++wrong;
      }
      ++finished;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(finished, kMany);
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(daemons_.status_of_storaged("Threads"), 400u);

  Channel channel({daemons_.address_of("storaged")}, wire::kStorageServiceNumber, client(0), Secret(kSecret));
  RemoteStorage storage(channel, target);
  std::string expected;
  for (int round = 0; round < kRounds; ++round) {
    for (int number = 0; number < kMany; ++number) expected += block_of(number, round);
  }
  std::string all(expected.size() + 1, '?');
  all.resize(storage.read(id, 0, all).value_or(0));
  EXPECT_EQ(content_difference(expected, all), "");
}

}  // namespace
}  // namespace forebay::test
