#include "tests/support/mounted_cache.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/support/binaries.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Under the sanitizers and on a busy machine everything takes many times as long as usual.
constexpr auto kLongestCommand = 300s;

void expect_ok(const ProcessResult& result, const std::string& what) {
  if (!result.ok()) throw std::runtime_error(fmt::format("{}: {}", what, describe(result)));
}

}  // namespace

Settings common_settings() {
  const char* text = std::getenv("FOREBAY_TEST_SETTINGS");
  std::istringstream words(text == nullptr ? "" : text);
  return {std::istream_iterator<std::string>(words), {}};
}

MountedCache::MountedCache() {
  const char* base = std::getenv("FOREBAY_TEST_EXTERNAL");
  if (base == nullptr) {
    external_ = root_.make("external");
    return;
  }
  outside_.emplace(base);
  external_ = outside_->make("external");
}

MountedCache::~MountedCache() {
  if (process_ < 0) return;
  kill_process();
  detach();
}

void MountedCache::mount(const MountWith& with) { expect_ok(try_mount(with), "mount"); }

ProcessResult MountedCache::try_mount(const MountWith& with) {
  binary_ = with.faults ? FOREBAY_FAULTY_BINARY : FOREBAY_BINARY;
  std::vector<std::string> words{binary_, "mount", external_, mountpoint_, "--cache", cache_};
  for (const std::string& setting : common_settings()) words.insert(words.end(), {"--set", setting});
  for (const std::string& setting : with.settings) words.insert(words.end(), {"--set", setting});
  words.insert(words.end(), with.words.begin(), with.words.end());
  if (!with.options.empty()) words.insert(words.end(), {"-o", with.options});
  ProcessOptions options{.timeout = kLongestCommand, .environment = {}, .directory = {}, .user = {}};
  if (with.faults) options.environment.push_back("FOREBAY_FAULTS=" + *with.faults);
  ProcessResult result = run_process(words, options);
  if (!result.ok()) return result;
  const pid_t process = status().at("pid");
  reaper_.watch(process);
  process_ = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  return result;
}

void MountedCache::unmount() { expect_ok(try_unmount(), "unmount"); }

ProcessResult MountedCache::try_unmount() {
  ProcessResult result = try_run({"unmount", mountpoint_});
  if (!is_mounted(mountpoint_) && process_ >= 0) {
    ::close(process_);
    process_ = -1;
  }
  return result;
}

void MountedCache::kill() {
  kill_process();
  detach();
}

void MountedCache::kill_process() {
  ::syscall(SYS_pidfd_send_signal, process_, SIGKILL, nullptr, 0);
  pollfd ended{process_, POLLIN, 0};
  while (::poll(&ended, 1, -1) < 0 && errno == EINTR) continue;
  ::close(process_);
  process_ = -1;
}

void MountedCache::pause() { ::syscall(SYS_pidfd_send_signal, process_, SIGSTOP, nullptr, 0); }

void MountedCache::resume() { ::syscall(SYS_pidfd_send_signal, process_, SIGCONT, nullptr, 0); }

void MountedCache::terminate() { ::syscall(SYS_pidfd_send_signal, process_, SIGTERM, nullptr, 0); }

bool MountedCache::ends_within(std::chrono::milliseconds limit) {
  pollfd ended{process_, POLLIN, 0};
  return ::poll(&ended, 1, static_cast<int>(limit.count())) > 0;
}

void MountedCache::detach() {
  if (is_mounted(mountpoint_)) ::umount2(mountpoint_.c_str(), MNT_DETACH);
}

void MountedCache::run(const std::vector<std::string>& words) { expect_ok(try_run(words), words.front()); }

ProcessResult MountedCache::try_run(const std::vector<std::string>& words) {
  std::vector<std::string> all{binary_};
  all.insert(all.end(), words.begin(), words.end());
  return run_process(all, {.timeout = kLongestCommand, .environment = {}, .directory = {}, .user = {}});
}

void MountedCache::run(const std::string& command, const std::string& name) { run({command, inside(name)}); }

ProcessResult MountedCache::try_run(const std::string& command, const std::string& name) {
  return try_run({command, inside(name)});
}

Json MountedCache::status() {
  const ProcessResult result = try_run({"status", "--json", mountpoint_});
  expect_ok(result, "status");
  return Json::parse(result.out);
}

Json MountedCache::stat(const std::string& name) {
  const ProcessResult result = try_run({"stat", "--json", inside(name)});
  expect_ok(result, "stat");
  return Json::parse(result.out);
}

bool MountedCache::wait_for(const std::function<bool(const Json&)>& condition, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (!condition(Json::parse(xattr_of(mountpoint_, "user.forebay.status")))) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);  // nothing tells us of a change
  }
  return true;
}

bool MountedCache::wait_until_clean() {
  return wait_for([](const Json& status) { return status.at("dirty_files") == 0; });
}

void MountTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting for several users needs root";
  if (::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "there is no /dev/fuse";
}

}  // namespace forebay::test
