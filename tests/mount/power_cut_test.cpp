// Power cuts: what was fsynced is there, byte for byte; the rest is old or new, never garbage.
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/loop_disk.h"
#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

constexpr uint64_t kDiskBytes = 128 << 20;

// A cache and its outside on disks of their own.
class PoweredCache {
 public:
  explicit PoweredCache(std::string passthrough, std::optional<std::string> faults = {})
      : passthrough_("fuse.passthrough=" + std::move(passthrough)), faults_(std::move(faults)) {}

  MountedCache& cache() { return cache_; }
  void mount() { cache_.mount({.settings = {"flush.policy=manual", passthrough_}, .faults = faults_}); }

  void cut_power() {
    // The disks first: nothing of what the process does in its last moments is of any use.
    cache_disk_.cut_power();
    outside_.cut_power();
    cache_.kill();
    for (LoopDisk* disk : {&cache_disk_, &outside_}) {
      disk->unmount();
      disk->mount();
    }
    forget_boot();
  }

 private:
  // The cache knows a reboot by the boot id, which no test can change: it is replaced where the cache has noted it.
  void forget_boot() {
    constexpr uint64_t kOffset = 32;
    overwrite(cache_.cache() + "/target-0/space", kOffset, "another-boot");
  }

  std::string passthrough_;
  std::optional<std::string> faults_;
  MountedCache cache_;
  LoopDisk outside_{cache_.external(), kDiskBytes};
  LoopDisk cache_disk_{cache_.cache(), kDiskBytes};
};

// Whoever writes: we, or the kernel past us.
class PowerCut : public MountTest, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Passthrough, PowerCut, testing::Values("on", "off"),
                         [](const auto& way) { return std::string(way.param); });

void write_and_sync(const std::string& path, const std::string& content) {
  OpenFile file(path, O_CREAT | O_RDWR);
  file.write_at(0, content);
  ASSERT_EQ(file.sync(), 0);
}

std::string content_or_nothing(const std::string& path) { return exists(path) ? read_file(path) : "(no file)"; }

testing::AssertionResult synced_survives(const char* passthrough, const std::optional<std::string>& faults) {
  PoweredCache powered(passthrough, faults);
  MountedCache& cache = powered.cache();
  powered.mount();
  write_and_sync(cache.inside("synced"), noise(3 * kMiB + 5, 1));
  write_file(cache.inside("not-synced"), noise(3 * kMiB, 2));
  powered.cut_power();
  powered.mount();
  const std::string here = content_difference(noise(3 * kMiB + 5, 1), content_or_nothing(cache.inside("synced")));
  if (!here.empty()) return testing::AssertionFailure() << "inside: " << here;
  cache.unmount();
  const std::string outside = content_difference(noise(3 * kMiB + 5, 1), content_or_nothing(cache.outside("synced")));
  if (!outside.empty()) return testing::AssertionFailure() << "outside: " << outside;
  return testing::AssertionSuccess();
}

TEST_P(PowerCut, KeepsWhatWasSynced) { EXPECT_TRUE(synced_survives(GetParam(), {})); }

TEST_P(PowerCut, TheCheckFailsWhenFsyncIsIgnored) {
  EXPECT_TRUE(synced_survives(GetParam(), ""));
  EXPECT_FALSE(synced_survives(GetParam(), "ignore-fsync")) << "nothing notices an fsync that does nothing";
}

TEST_P(PowerCut, KeepsWhatWasSyncedIntoAFileThatWasThere) {
  PoweredCache powered(GetParam());
  MountedCache& cache = powered.cache();
  write_file(cache.outside("a"), noise(4 * kMiB, 1));
  { ASSERT_EQ(OpenFile(cache.outside("a"), O_RDWR).sync(), 0); }
  powered.mount();
  OpenFile file(cache.inside("a"), O_RDWR);
  file.write_at(kMiB, noise(100'000, 2));
  ASSERT_EQ(file.sync(), 0);
  file.write_at(2 * kMiB, noise(100'000, 3));  // not synced: old or new
  file.close();
  powered.cut_power();
  powered.mount();
  std::string expected = noise(4 * kMiB, 1);
  expected.replace(kMiB, 100'000, noise(100'000, 2));
  const std::string found = read_file(cache.inside("a"));
  ASSERT_EQ(found.size(), expected.size());
  EXPECT_EQ(content_difference(expected.substr(0, 2 * kMiB), found.substr(0, 2 * kMiB)), "");
  EXPECT_EQ(content_difference(expected.substr(3 * kMiB), found.substr(3 * kMiB)), "");
  const std::string old = expected.substr(2 * kMiB, 100'000), now = noise(100'000, 3);
  for (size_t i = 0; i < old.size(); ++i) {
    const char byte = found[2 * kMiB + i];
    ASSERT_TRUE(byte == old[i] || byte == now[i]) << "byte " << i << " was never written";
  }
}

// A copy that was only fetched, and never synced, is nobody's promise; but zeros are nobody's data.
TEST_P(PowerCut, RefetchesWhatWasOnlyCached) {
  PoweredCache powered(GetParam());
  MountedCache& cache = powered.cache();
  write_file(cache.outside("a"), noise(4 * kMiB, 1));
  { ASSERT_EQ(OpenFile(cache.outside("a"), O_RDWR).sync(), 0); }
  powered.mount();
  EXPECT_EQ(content_difference(noise(4 * kMiB, 1), read_file(cache.inside("a"))), "");
  powered.cut_power();
  powered.mount();
  EXPECT_EQ(content_difference(noise(4 * kMiB, 1), read_file(cache.inside("a"))), "");
  cache.unmount();
  EXPECT_EQ(content_difference(noise(4 * kMiB, 1), read_file(cache.outside("a"))), "");
}

// Flushed data had left the cache as far as anybody knew: `forebay flush` says that it is outside.
TEST_P(PowerCut, KeepsWhatWasFlushed) {
  PoweredCache powered(GetParam());
  MountedCache& cache = powered.cache();
  powered.mount();
  write_file(cache.inside("a"), noise(2 * kMiB, 1));
  cache.run("flush", "a");
  powered.cut_power();
  EXPECT_EQ(content_difference(noise(2 * kMiB, 1), content_or_nothing(cache.outside("a"))), "");
  powered.mount();
  EXPECT_EQ(content_difference(noise(2 * kMiB, 1), content_or_nothing(cache.inside("a"))), "");
}

TEST_P(PowerCut, SyncedFilesKeepTheirAttributes) {
  PoweredCache powered(GetParam());
  MountedCache& cache = powered.cache();
  powered.mount();
  write_and_sync(cache.inside("a"), noise(kMiB, 1));
  const int64_t mtime = mtime_ns(cache.inside("a"));
  powered.cut_power();
  powered.mount();
  EXPECT_EQ(mtime_ns(cache.inside("a")), mtime);
  EXPECT_TRUE(cache.stat("a").at("dirty"));
}

}  // namespace
}  // namespace forebay::test
