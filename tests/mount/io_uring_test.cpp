// Requests through io_uring. All other mount tests run with it as well (scripts/test).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/support/files.h"
#include "tests/support/mounted_cache.h"
#include "tests/support/slow_outside.h"

namespace forebay::test {
namespace {

using testing::StartsWith;

class IoUring : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists("/sys/module/fuse/parameters/enable_uring")) GTEST_SKIP() << "this kernel has none";
  }
  MountedCache cache_;
};

TEST_F(IoUring, IsUsedWhenAskedFor) {
  cache_.mount({.settings = {"fuse.io_uring=on"}});
  EXPECT_EQ(cache_.status().at("io_uring"), "on");
}

TEST_F(IoUring, IsNotUsedWhenSwitchedOff) {
  cache_.mount({.settings = {"fuse.io_uring=off"}});
  EXPECT_EQ(cache_.status().at("io_uring"), "off: fuse.io_uring");
}

// The largest requests and replies, through the page cache and past it.
TEST_F(IoUring, LargeReadsAndWritesArriveWhole) {
  const std::string bytes = noise(9 << 20);
  write_file(cache_.outside("large"), bytes);
  cache_.mount({.settings = {"fuse.io_uring=on", "fuse.passthrough=off"}});
  EXPECT_EQ(content_difference(bytes, read_file(cache_.inside("large"))), "");
  write_file(cache_.inside("written"), bytes);
  cache_.unmount();
  EXPECT_EQ(content_difference(bytes, read_file(cache_.outside("written"))), "");
}

// More callers of each CPU than there are threads for it, each waiting for the outside: they wait for one another, not
// for ever.
TEST_F(IoUring, MoreCallersThanThreadsAreAllServed) {
  const SlowOutside outside(cache_.external(), {"latency_us=2000"});
  for (int i = 0; i < 64; ++i) write_file(cache_.outside(std::to_string(i)), noise(4096, static_cast<uint64_t>(i)));
  cache_.mount({.settings = {"fuse.io_uring=on", "fuse.threads=2"}});
  std::vector<std::thread> readers;
  std::atomic<int> agreed{0};
  for (int i = 0; i < 64; ++i) {
    readers.emplace_back([&, i] {
      agreed += read_file(cache_.inside(std::to_string(i))) == noise(4096, static_cast<uint64_t>(i)) ? 1 : 0;
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(agreed, 64);
  cache_.unmount();
}

}  // namespace
}  // namespace forebay::test
