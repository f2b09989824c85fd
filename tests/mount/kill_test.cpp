// A kill in the middle of one operation: while the outside does it, before we have its answer.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "tests/support/loop_disk.h"
#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

// Whether a thread of the process is in this system call now.
bool is_in_call(pid_t process, long call) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    std::ifstream file(task.path() / "syscall");
    std::string number;
    if (file >> number && number == std::to_string(call)) return true;
  }
  return false;
}

class KillInTheMiddle : public MountTest, public testing::WithParamInterface<const char*> {
 protected:
  // The call begins outside while nothing can change there, the process is killed, and then the call is done.
  void kill_in(long call, const std::function<void()>& operation) {
    const auto process = static_cast<pid_t>(cache_.status().at("pid").get<int>());
    disk_.freeze();
    auto caller = std::async(std::launch::async, operation);
    while (!is_in_call(process, call))
      ASSERT_EQ(caller.wait_for(std::chrono::milliseconds(1)), std::future_status::timeout);
    ASSERT_EQ(::kill(process, SIGKILL), 0);
    disk_.thaw();
    cache_.kill();
    caller.get();
  }

  Settings settings() const { return {"flush.policy=" + std::string(GetParam())}; }

  MountedCache cache_;
  LoopDisk disk_{cache_.external(), 64 << 20};
};

INSTANTIATE_TEST_SUITE_P(Policies, KillInTheMiddle, testing::Values("write-back", "write-through"),
                         [](const auto& policy) { return std::string(policy.param).substr(6); });

TEST_P(KillInTheMiddle, AFileGetsItsFirstNameWithItsData) {
  cache_.mount({.settings = settings()});
  OpenFile file(cache_.mountpoint(), O_TMPFILE | O_RDWR);
  file.write_at(0, noise(50'000, 1));
  kill_in(SYS_linkat, [&] {
    const std::string from = "/proc/self/fd/" + std::to_string(file.fd());
    EXPECT_EQ(::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, cache_.inside("a").c_str(), AT_SYMLINK_FOLLOW), -1);
  });
  ASSERT_TRUE(exists(cache_.outside("a"))) << "the kill came too early for this test";
  cache_.mount({.settings = settings()});
  EXPECT_EQ(content_difference(noise(50'000, 1), read_file(cache_.inside("a"))), "");
  cache_.unmount();
  EXPECT_EQ(content_difference(noise(50'000, 1), read_file(cache_.outside("a"))), "");
}

// Nobody searches a target for what belongs to no file: the database knows them until their data is gone.
TEST(Kill, FilesWithoutANameThatWereOpenLeaveNothingBehind) {
  MountedCache cache;
  write_file(cache.outside("fetched"), noise(2 * kMiB, 1));
  cache.mount();
  const OpenFile written(cache.inside("written"), O_CREAT | O_RDWR);
  written.write_at(0, noise(2 * kMiB, 2));
  const OpenFile nameless(cache.mountpoint(), O_TMPFILE | O_RDWR);
  nameless.write_at(0, noise(2 * kMiB, 3));
  const OpenFile fetched(cache.inside("fetched"));
  ASSERT_EQ(fetched.read_at(0, 2 * kMiB).size(), 2 * kMiB);
  ASSERT_EQ(::unlink(cache.inside("written").c_str()), 0);
  ASSERT_EQ(::unlink(cache.inside("fetched").c_str()), 0);
  write_file(cache.inside("later"), "commits what the database was told until now");
  ASSERT_GE(cache.status().at("used_bytes"), 6 * kMiB);
  cache.kill();
  cache.mount();
  EXPECT_LT(cache.status().at("used_bytes"), kMiB);
  cache.unmount();
  EXPECT_EQ(names_in(cache.external()), (std::set<std::string>{"later"}));
  size_t chunk_files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cache.cache() + "/target-0")) {
    chunk_files += entry.path().extension() == ".chunk" ? 1 : 0;
  }
  EXPECT_EQ(chunk_files, 1u);
}

}  // namespace
}  // namespace forebay::test
