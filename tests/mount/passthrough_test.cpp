// FUSE passthrough: the kernel reads and writes the chunk files itself, and nothing of it is lost on us.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/support/loop_disk.h"
#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

using testing::StartsWith;

// A shared mapping of a whole file, whose descriptor is closed again.
class SharedMapping {
 public:
  SharedMapping(const std::string& path, size_t size) : size_(size) {
    const OpenFile file(path, O_RDWR);
    memory_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
    if (memory_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap of " + path);
  }
  ~SharedMapping() { ::munmap(memory_, size_); }
  SharedMapping(const SharedMapping&) = delete;
  SharedMapping& operator=(const SharedMapping&) = delete;

  char* data() const { return static_cast<char*>(memory_); }
  void store(size_t offset, const std::string& bytes) const { bytes.copy(data() + offset, bytes.size()); }

 private:
  void* memory_ = MAP_FAILED;
  size_t size_;
};

// Every file that is written here is written past us, however small the disk; and nothing leaves by itself.
const Settings kAlways = {"fuse.passthrough=on", "flush.policy=manual"};

class PassthroughTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    cache_.mount({.settings = kAlways});
    if (cache_.status().at("passthrough") != "on") {
      GTEST_SKIP() << cache_.status().at("passthrough").get<std::string>();
    }
  }
  void remount(const Settings& settings) {
    cache_.unmount();
    cache_.mount({.settings = settings});
  }
  // A file that is in the cache, whole and clean.
  void put_cached(const std::string& name, const std::string& content) {
    write_file(cache_.outside(name), content);
    cache_.run("prefetch", name);
    EXPECT_TRUE(cache_.stat(name).at("cached"));
  }
  std::string flushed_to(const std::string& name) {
    cache_.run("flush", name);
    return read_file(cache_.outside(name));
  }

  MountedCache cache_;
};

TEST_F(PassthroughTest, StatusSaysWhetherAndWhyNot) {
  EXPECT_EQ(cache_.status().at("passthrough"), "on");
  remount({"fuse.passthrough=off"});
  EXPECT_EQ(cache_.status().at("passthrough"), "off: fuse.passthrough is off");
  remount({"fuse.passthrough=read"});
  EXPECT_EQ(cache_.status().at("passthrough"), "read: fuse.passthrough is read");
  remount({"flush.policy=write-through", "fuse.passthrough=auto"});
  EXPECT_EQ(cache_.status().at("passthrough"), "read: flush.policy is write-through");
}

// An open counts as a hit, since what follows is not seen.
TEST_F(PassthroughTest, ReadsOfACachedFileDoNotComeToUs) {
  put_cached("a", noise(4 * kMiB));
  const int64_t hits = cache_.status().at("hits");
  const OpenFile file(cache_.inside("a"));
  for (size_t at = 0; at < 4 * kMiB; at += 4096) ASSERT_EQ(file.read_at(at, 4096).size(), 4096u);
  EXPECT_EQ(cache_.status().at("hits"), hits + 1);
}

TEST_F(PassthroughTest, AFileThatIsNotAllHereIsServedByUs) {
  write_file(cache_.outside("a"), noise(8 * kMiB));
  remount({"fetch.readahead=0", "cache.chunk_size=64KiB"});
  const OpenFile file(cache_.inside("a"));
  EXPECT_EQ(file.read_at(5 * kMiB, 100), noise(8 * kMiB).substr(5 * kMiB, 100));
  const OpenFile again(cache_.inside("a"));
  EXPECT_EQ(again.read_at(kMiB, 100), noise(8 * kMiB).substr(kMiB, 100));
  EXPECT_FALSE(cache_.stat("a").at("cached"));
}

TEST_F(PassthroughTest, AWriteMakesTheFileDirtyAtOnce) {
  put_cached("a", noise(kMiB));
  EXPECT_FALSE(cache_.stat("a").at("dirty"));
  const OpenFile file(cache_.inside("a"), O_RDWR);
  EXPECT_FALSE(cache_.stat("a").at("dirty"));
  EXPECT_EQ(cache_.status().at("dirty_files"), 0);
  file.write_at(kMiB - 2, "abcd");
  EXPECT_EQ(cache_.status().at("dirty_files"), 1);
  EXPECT_TRUE(cache_.stat("a").at("dirty"));
  EXPECT_EQ(stat_of(cache_.inside("a")).st_size, static_cast<off_t>(kMiB + 2));
  EXPECT_EQ(content_difference(noise(kMiB).substr(0, kMiB - 2) + "abcd", flushed_to("a")), "");
  EXPECT_FALSE(cache_.stat("a").at("dirty"));
  file.write_at(0, "again");
  EXPECT_TRUE(cache_.stat("a").at("dirty"));
  EXPECT_EQ(flushed_to("a").substr(0, 5), "again");
}

TEST_F(PassthroughTest, AFileThatWasOpenForWritingAndNotWrittenIsClean) {
  put_cached("a", "content");
  const int64_t mtime = mtime_ns(cache_.outside("a"));
  { const OpenFile file(cache_.inside("a"), O_RDWR); }
  EXPECT_EQ(cache_.status().at("dirty_files"), 0);
  cache_.unmount();
  EXPECT_EQ(mtime_ns(cache_.outside("a")), mtime);
}

TEST_F(PassthroughTest, OnlyTheBlocksThatChangedGoOutside) {
  constexpr size_t kBlock = 64 << 10;
  put_cached("a", noise(32 * kMiB));
  std::string expected = noise(32 * kMiB);
  const OpenFile file(cache_.inside("a"), O_RDWR);
  for (int round = 0; round < 2; ++round) {
    const int64_t before = cache_.status().at("flushed_bytes");
    const std::string text = "round " + std::to_string(round);
    file.write_at(10 * kMiB, text);
    expected.replace(10 * kMiB, text.size(), text);
    EXPECT_EQ(content_difference(expected, flushed_to("a")), "");
    EXPECT_EQ(cache_.status().at("flushed_bytes"), before + static_cast<int64_t>(kBlock));
  }
}

TEST_F(PassthroughTest, ANewFileIsFlushedWithItsMtime) {
  write_file(cache_.inside("a"), noise(3 * kMiB));
  const int64_t mtime = mtime_ns(cache_.inside("a"));
  EXPECT_EQ(content_difference(noise(3 * kMiB), flushed_to("a")), "");
  EXPECT_EQ(mtime_ns(cache_.outside("a")), mtime);
  EXPECT_EQ(mtime_ns(cache_.inside("a")), mtime);
}

// A mapping outlives the descriptor that it was made of, and the open file with it.
TEST_F(PassthroughTest, StoresIntoAMappingWithoutDescriptorAreFlushed) {
  put_cached("a", noise(kMiB));
  std::string expected = noise(kMiB);
  const SharedMapping mapping(cache_.inside("a"), kMiB);
  for (const char* text : {"first", "second", "third"}) {
    mapping.store(4096, text);
    expected.replace(4096, std::string(text).size(), text);
    EXPECT_TRUE(cache_.stat("a").at("dirty")) << text;
    EXPECT_EQ(content_difference(expected, flushed_to("a")), "") << text;
  }
}

// As tar and others open files; it was taken for a command, which reads nothing.
TEST_F(PassthroughTest, WhoFollowsNoLinksAndDoesNotWaitReadsAsOthersDo) {
  put_cached("a", noise(kMiB));
  const int64_t hits = cache_.status().at("hits");
  const OpenFile file(cache_.inside("a"), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  for (size_t at = 0; at < kMiB; at += 4096) ASSERT_EQ(file.read_at(at, 4096).size(), 4096u);
  EXPECT_EQ(cache_.status().at("hits"), hits + 1) << "reads came to us";
}

// Whoever opens the file now must not read pages of the kernel's instead of the chunk file's.
TEST_F(PassthroughTest, StoresIntoAMappingWithoutDescriptorAreReadByWhoeverOpensTheFile) {
  constexpr int kOfACommand = O_NONBLOCK | O_NOFOLLOW | O_ASYNC;
  for (const int flags : {O_RDWR, O_RDWR | O_NONBLOCK | O_NOFOLLOW, O_RDWR | O_TRUNC | O_NONBLOCK | O_NOFOLLOW,
                          O_RDWR | O_APPEND, O_RDONLY | kOfACommand}) {
    const std::string name = fmt::format("{:o}", flags);
    put_cached(name, noise(kMiB));
    const SharedMapping mapping(cache_.inside(name), kMiB);
    mapping.store(0, "written");
    const OpenFile first(cache_.inside(name), flags), second(cache_.inside(name), O_RDWR);
    second.write_at(0, noise(kMiB, 2));
    EXPECT_EQ(content_difference(noise(kMiB, 2), second.read_at(0, kMiB)), "") << name;
    std::string expected = noise(kMiB, 2);
    for (const std::string text : {"first", "second", "third"}) {
      mapping.store(4096, text);
      expected.replace(4096, text.size(), text);
      EXPECT_EQ(content_difference(expected, second.read_at(0, kMiB)), "") << name;
      EXPECT_EQ(content_difference(expected, first.read_at(0, kMiB)), "") << name;
      EXPECT_EQ(content_difference(expected, read_file(cache_.inside(name))), "") << name;
    }
    EXPECT_EQ(content_difference(expected, flushed_to(name)), "") << name;
  }
}

TEST_F(PassthroughTest, WhatIsMappedIsNotEvicted) {
  put_cached("a", noise(kMiB));
  const SharedMapping mapping(cache_.inside("a"), kMiB);
  cache_.try_run("evict", "a");
  EXPECT_EQ(std::string(mapping.data(), kMiB), noise(kMiB));
  mapping.store(0, "ours");
  EXPECT_EQ(content_difference("ours" + noise(kMiB).substr(4), flushed_to("a")), "");
  EXPECT_EQ(content_difference("ours" + noise(kMiB).substr(4), read_file(cache_.inside("a"))), "");
}

TEST_F(PassthroughTest, AMappingThatIsGoneLeavesAFileThatCanBeEvicted) {
  put_cached("a", noise(kMiB));
  { const SharedMapping mapping(cache_.inside("a"), kMiB); }
  cache_.run("evict", "a");
  EXPECT_FALSE(cache_.stat("a").at("cached"));
}

TEST_F(PassthroughTest, AppendersReadersWritersAndMappingsSeeTheSameFile) {
  put_cached("a", noise(kMiB));
  const OpenFile reader(cache_.inside("a"));
  const OpenFile appender(cache_.inside("a"), O_WRONLY | O_APPEND);
  const OpenFile writer(cache_.inside("a"), O_RDWR);
  const SharedMapping mapping(cache_.inside("a"), kMiB);
  ASSERT_EQ(::write(appender.fd(), "tail", 4), 4);
  writer.write_at(100, "middle");
  mapping.store(0, "head");
  ASSERT_EQ(::write(appender.fd(), "END", 3), 3);
  std::string expected = noise(kMiB) + "tailEND";
  expected.replace(0, 4, "head").replace(100, 6, "middle");
  EXPECT_EQ(content_difference(expected, reader.read_at(0, 2 * kMiB)), "");
  EXPECT_EQ(content_difference(expected, writer.read_at(0, 2 * kMiB)), "");
  EXPECT_EQ(std::string(mapping.data() + 100, 6), "middle");
  ASSERT_EQ(::ftruncate(writer.fd(), 200), 0);
  EXPECT_EQ(reader.read_at(0, kMiB), expected.substr(0, 200));
  EXPECT_EQ(flushed_to("a"), expected.substr(0, 200));
}

TEST_F(PassthroughTest, WhatWasWrittenPastUsSurvivesAKill) {
  put_cached("old", noise(2 * kMiB));
  {
    const OpenFile old(cache_.inside("old"), O_RDWR);
    old.write_at(kMiB, "ours");
    const OpenFile fresh(cache_.inside("fresh"), O_CREAT | O_WRONLY);
    fresh.write_at(0, noise(kMiB, 7));
    cache_.kill();
  }
  cache_.mount({.settings = kAlways});
  std::string expected = noise(2 * kMiB);
  expected.replace(kMiB, 4, "ours");
  EXPECT_EQ(cache_.status().at("dirty_files"), 2);
  EXPECT_EQ(content_difference(expected, read_file(cache_.inside("old"))), "");
  EXPECT_EQ(content_difference(noise(kMiB, 7), read_file(cache_.inside("fresh"))), "");
  cache_.unmount();
  EXPECT_EQ(content_difference(expected, read_file(cache_.outside("old"))), "");
  EXPECT_EQ(content_difference(noise(kMiB, 7), read_file(cache_.outside("fresh"))), "");
}

TEST_F(PassthroughTest, WhatWasOnlyOpenIsNotDirtyAfterAKill) {
  put_cached("a", noise(kMiB));
  {
    const OpenFile file(cache_.inside("a"), O_RDWR);
    cache_.kill();
  }
  cache_.mount({.settings = kAlways});
  EXPECT_EQ(cache_.status().at("dirty_files"), 0);
  EXPECT_TRUE(cache_.stat("a").at("cached"));
}

// Whoever writes to a program does not leave it setuid; root does.
TEST_F(PassthroughTest, AWriteTakesSetuidOff) {
  put_cached("program", noise(kMiB));
  ASSERT_EQ(::chmod(cache_.outside("program").c_str(), 0666), 0);
  const OpenFile file(cache_.inside("program"), O_RDWR);
  ASSERT_EQ(::chmod(cache_.inside("program").c_str(), 06777), 0);
  ASSERT_EQ(::seteuid(kNobody), 0);
  const int written = file.try_write_at(0, "x");
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_EQ(written, 0);
  EXPECT_EQ(stat_of(cache_.inside("program")).st_mode & 07000, 0u);
  EXPECT_EQ(stat_of(cache_.outside("program")).st_mode & 07000, 0u);
}

// Of a file that changes outside, who has it open sees old bytes or new ones, and never anything else.
TEST_F(PassthroughTest, AReaderOfAFileThatChangesOutsideNeverSeesZeros) {
  remount({"consistency.validate=always", "cache.chunk_size=64KiB"});
  const std::string old(2 * kMiB, 'o'), changed(2 * kMiB, 'n');
  put_cached("a", old);
  const OpenFile reader(cache_.inside("a"));
  ASSERT_EQ(reader.read_at(0, 2 * kMiB), old);
  overwrite(cache_.outside("a"), 0, changed);
  std::string seen;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (seen != changed && std::chrono::steady_clock::now() < deadline) {
    stat_of(cache_.inside("a"));  // what looks at the outside
    seen = reader.read_at(0, 4 * kMiB);
    ASSERT_EQ(seen.size(), 2 * kMiB);
    ASSERT_EQ(seen.find_first_not_of("on"), std::string::npos);
  }
  EXPECT_EQ(seen, changed);
}

TEST_F(PassthroughTest, AChangeOutsideUnderAWriterIsAConflict) {
  remount({"consistency.validate=always", "flush.policy=manual", "fuse.passthrough=on"});
  put_cached("a", "base");
  const OpenFile writer(cache_.inside("a"), O_RDWR);
  overwrite(cache_.outside("a"), 0, "them");
  writer.write_at(0, "ours");
  cache_.try_run("flush", "a");
  std::set<std::string> contents;
  for (const std::string& name : names_in(cache_.external())) contents.insert(read_file(cache_.outside(name)));
  EXPECT_EQ(contents, (std::set<std::string>{"ours", "them"}));
}

TEST_F(PassthroughTest, WriteThroughHoldsForEveryHandle) {
  remount({"flush.policy=write-through"});
  put_cached("a", noise(kMiB));
  const OpenFile reader(cache_.inside("a"));  // through the kernel: the writer must not be
  const OpenFile writer(cache_.inside("a"), O_RDWR);
  writer.write_at(5, "now");
  EXPECT_EQ(read_file(cache_.outside("a")).substr(5, 3), "now");
  EXPECT_EQ(reader.read_at(5, 3), "now");
}

// Nothing would tell of a store into a mapping there.
TEST_F(MountTest, ACacheOnTmpfsDoesWithoutPassthrough) {
  MountedCache cache;
  ASSERT_EQ(::mount("tmpfs", cache.cache().c_str(), "tmpfs", 0, "size=64m"), 0);
  const std::unique_ptr<const char, int (*)(const char*)> mounted(
      cache.cache().c_str(), [](const char* path) { return ::umount2(path, MNT_DETACH); });
  write_file(cache.outside("a"), noise(kMiB));
  cache.mount();
  read_file(cache.inside("a"));
  {
    const SharedMapping mapping(cache.inside("a"), kMiB);
    const OpenFile writer(cache.inside("a"), O_RDWR);
    mapping.store(0, "map");
    writer.write_at(10, "write");
  }
  EXPECT_THAT(cache.status().at("passthrough"), StartsWith("off: "));
  cache.unmount();
  std::string expected = noise(kMiB);
  expected.replace(0, 3, "map").replace(10, 5, "write");
  EXPECT_EQ(content_difference(expected, read_file(cache.outside("a"))), "");
}

TEST_F(MountTest, ACacheDiskThatIsAlmostFullCanBeMounted) {
  MountedCache cache;
  LoopDisk disk(cache.cache(), 32 << 20);
  cache.mount({.settings = kAlways});
  write_file(cache.inside("a"), noise(kMiB));
  cache.kill();
  disk.fill_up(256 << 10);  // for the log of the database
  cache.mount({.settings = kAlways});
  EXPECT_EQ(content_difference(noise(kMiB), read_file(cache.inside("a"))), "");
  cache.unmount();
  EXPECT_EQ(content_difference(noise(kMiB), read_file(cache.outside("a"))), "");
}

// What went wrong once, for want of room, is tried again with the next file.
TEST_F(MountTest, AFullCacheDiskEndsPassthroughForNoMoreThanOneFile) {
  MountedCache cache;
  LoopDisk disk(cache.cache(), 32 << 20);
  cache.mount({.settings = kAlways});
  if (cache.status().at("passthrough") != "on") GTEST_SKIP() << "there is no passthrough";
  {
    // More than root's share of the free blocks.
    const OpenFile filler(cache.cache() + "/all", O_CREAT | O_WRONLY);
    const std::string block = noise(kMiB);
    for (uint64_t at = 0; filler.try_write_at(at, block) == 0; at += kMiB) continue;
    for (uint64_t at = 0; filler.try_write_at(at, "x") == 0; at += 4096) continue;
  }
  open_errno(cache.inside("too-much"), O_CREAT | O_WRONLY);
  EXPECT_EQ(cache.status().at("passthrough"), "on");
  std::filesystem::remove(cache.cache() + "/all");
  write_file(cache.inside("a"), "written");
  cache.unmount();
  EXPECT_EQ(read_file(cache.outside("a")), "written");
}

// The SSD is a small one. Nobody gets ENOSPC as long as the outside has room, and nothing is lost.
class PassthroughSpace : public MountTest {
 protected:
  static constexpr uint64_t kDisk = 192 << 20;
  static constexpr int kWriters = 8;
  static constexpr size_t kFile = 48 << 20;  // each; together twice the disk

  void write_one(int number) {
    const OpenFile file(cache_.inside(std::to_string(number)), O_CREAT | O_RDWR);
    const std::string block = noise(kMiB, static_cast<uint64_t>(number));
    for (size_t at = 0; at < kFile; at += kMiB) {
      const int error = file.try_write_at(at, block);
      if (error != 0) ADD_FAILURE() << "writer " << number << " at " << at << ": errno " << error;
      if (error != 0) return;
    }
    for (size_t at = 0; at < kFile; at += kMiB) {
      if (const std::string wrong = content_difference(block, file.read_at(at, kMiB)); !wrong.empty()) {
        ADD_FAILURE() << "writer " << number << " reads at " << at << ": " << wrong;
        return;
      }
    }
  }
  void write_all() {
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) writers.emplace_back([this, i] { write_one(i); });
    for (std::thread& writer : writers) writer.join();
  }
  void expect_all_outside() {
    cache_.unmount();
    for (int i = 0; i < kWriters; ++i) {
      const OpenFile file(cache_.outside(std::to_string(i)));
      const std::string block = noise(kMiB, static_cast<uint64_t>(i));
      ASSERT_EQ(stat_of(cache_.outside(std::to_string(i))).st_size, static_cast<off_t>(kFile));
      for (size_t at = 0; at < kFile; at += kMiB) {
        ASSERT_EQ(content_difference(block, file.read_at(at, kMiB)), "") << "file " << i << " at " << at;
      }
    }
  }

  MountedCache cache_;
  LoopDisk disk_{cache_.cache(), kDisk};
};

TEST_F(PassthroughSpace, ManyWritersFillASmallDisk) {
  cache_.mount({.settings = {"flush.delay=100ms"}});
  write_all();
  expect_all_outside();
}

// Writers get passthrough while there is room, and are paced when there is not.
TEST_F(PassthroughSpace, WritersArePacedBelowTheHeadroom) {
  cache_.mount({.settings = {"flush.delay=100ms", "fuse.passthrough_headroom=64MiB", "flush.max_dirty=30%"}});
  write_all();
  expect_all_outside();
}

TEST_F(PassthroughSpace, ReadersOfWhatIsEvictedSeeItsBytes) {
  for (int i = 0; i < kWriters; ++i)
    write_file(cache_.outside(std::to_string(i)), noise(kFile, static_cast<uint64_t>(i)));
  cache_.mount();
  std::vector<std::unique_ptr<OpenFile>> open;
  for (int i = 0; i < kWriters; ++i) {
    open.push_back(std::make_unique<OpenFile>(cache_.inside(std::to_string(i))));
    const std::string content = noise(kFile, static_cast<uint64_t>(i));
    for (size_t at = 0; at < kFile; at += kMiB) {
      ASSERT_EQ(content_difference(content.substr(at, kMiB), open.back()->read_at(at, kMiB)), "") << i << " at " << at;
    }
  }
  for (int i = 0; i < kWriters; ++i) {
    const std::string content = noise(kFile, static_cast<uint64_t>(i));
    ASSERT_EQ(content_difference(content.substr(0, kMiB), open[static_cast<size_t>(i)]->read_at(0, kMiB)), "") << i;
  }
}

}  // namespace
}  // namespace forebay::test
