// The kernel's pages of files that are open: what was written is read, whoever looks meanwhile, and what changes
// outside comes, although nobody asks.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/support/mounted_cache.h"
#include "tests/support/slow_outside.h"

namespace forebay::test {
namespace {

using Clock = std::chrono::steady_clock;

class OpenFiles : public MountTest {
 protected:
  static std::string read_again(const OpenFile& file) { return file.read_at(0, kMiB); }
  void append_outside(const std::string& name, const std::string& data) {
    const OpenFile file(cache_.outside(name), O_WRONLY | O_APPEND);
    ASSERT_EQ(::write(file.fd(), data.data(), data.size()), static_cast<ssize_t>(data.size()));
  }
  // Reads again and again, and never looks at the attributes.
  static bool becomes(const OpenFile& file, const std::string& content) {
    const auto end = Clock::now() + std::chrono::seconds(20);
    while (Clock::now() < end) {
      if (read_again(file) == content) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  // Of a SlowOutside.
  void set_knob(const std::string& name, const std::string& value) {
    const std::string attribute = "user.slowfs." + name;
    ASSERT_EQ(::setxattr(cache_.external().c_str(), attribute.c_str(), value.data(), value.size(), 0), 0);
  }

  MountedCache cache_;
};

TEST_F(OpenFiles, WhatIsAppendedOutsideIsRead) {
  write_file(cache_.outside("log"), "one ");
  cache_.mount({.settings = {"consistency.attr_ttl=100ms"}});
  const OpenFile log(cache_.inside("log"));
  EXPECT_EQ(read_again(log), "one ");
  append_outside("log", "two ");
  EXPECT_TRUE(becomes(log, "one two "));
  append_outside("log", "three ");
  EXPECT_TRUE(becomes(log, "one two three "));
}

TEST_F(OpenFiles, WhatIsAppendedOutsideToAnEmptyFileIsRead) {
  write_file(cache_.outside("log"), "");
  cache_.mount({.settings = {"consistency.attr_ttl=100ms"}});
  {
    const OpenFile log(cache_.inside("log"));
    EXPECT_EQ(read_again(log), "");
    append_outside("log", "one ");
    EXPECT_TRUE(becomes(log, "one "));
    append_outside("log", "two ");
    EXPECT_TRUE(becomes(log, "one two "));
  }
  EXPECT_TRUE(cache_.wait_for([](const Json& status) { return status.at("cached_files") == 1; }));
  cache_.unmount();
  cache_.mount();
  EXPECT_EQ(read_file(cache_.inside("log")), "one two ");
  EXPECT_EQ(cache_.status().at("fetched_bytes"), 0) << "the copy outlives the mount";
}

TEST_F(OpenFiles, WhatIsRewrittenOutsideIsRead) {
  const std::string before(100'000, 'a');
  write_file(cache_.outside("a"), before);
  for (const char* validate : {"ttl", "always"}) {
    cache_.mount({.settings = {"consistency.attr_ttl=100ms", std::string("consistency.validate=") + validate}});
    {
      const OpenFile file(cache_.inside("a"));
      for (const char letter : {'b', 'c', 'd'}) {
        const std::string after(100'000, letter);
        write_file(cache_.outside("a"), after);
        EXPECT_TRUE(becomes(file, after)) << validate << " " << letter;
      }
    }
    cache_.unmount();
  }
}

TEST_F(OpenFiles, WhatIsRewrittenOutsideIsSeenThroughAMapping) {
  constexpr size_t kSize = 8192;
  write_file(cache_.outside("a"), std::string(kSize, 'a'));
  cache_.mount({.settings = {"consistency.attr_ttl=100ms", "fuse.passthrough=off"}});
  const OpenFile file(cache_.inside("a"));
  void* const map = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, file.fd(), 0);
  ASSERT_NE(map, MAP_FAILED);
  const volatile char* const bytes = static_cast<const char*>(map);
  EXPECT_EQ(bytes[5000], 'a');
  write_file(cache_.outside("a"), std::string(kSize, 'b'));
  const auto end = Clock::now() + std::chrono::seconds(20);
  while (bytes[5000] != 'b' && Clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(bytes[5000], 'b');
  ::munmap(map, kSize);
}

// The kernel's last page of the old size has zeros behind it.
TEST_F(OpenFiles, NothingThatNobodyWroteIsReadWhileAFileGrowsOutside) {
  write_file(cache_.outside("log"), "x");
  cache_.mount({.settings = {"consistency.validate=always"}});
  const OpenFile log(cache_.inside("log"));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 500; ++i) {
      append_outside("log", std::string(100, 'x'));
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
    done = true;
  });
  uint64_t looks = 0, lengths = 0;
  size_t last = 0;
  bool wrong = false;
  while (!done && !wrong) {
    struct stat now = {};
    ASSERT_EQ(::fstat(log.fd(), &now), 0);
    const std::string content = read_again(log);
    wrong = content.find_first_not_of('x') != content.npos;
    lengths += content.size() != last;
    last = content.size();
    ++looks;
  }
  EXPECT_FALSE(wrong) << "after " << looks << " looks, with " << last << " bytes";
  writer.join();
  EXPECT_GT(lengths, 3U) << "the reader saw the file grow";
  EXPECT_TRUE(becomes(log, std::string(1 + 500 * 100, 'x')));
}

// With each look the kernel sees another mtime. If it took its pages away for that, a read could overtake the write
// whose page that was.
TEST_F(OpenFiles, AWriteIsReadBackWhoeverLooksMeanwhile) {
  constexpr int kWriters = 3;
  constexpr size_t kBlock = 4096;
  cache_.mount({.settings = {"flush.policy=manual"}});
  write_file(cache_.inside("database"), std::string(kWriters * kBlock, '.'));
  std::atomic<bool> done = false;
  std::atomic<uint64_t> looks = 0, writes = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      const OpenFile file(cache_.inside("database"));
      for (; !done; ++looks) {
        (void)stat_of(cache_.inside("database"));
        (void)file.read_at(0, kWriters * kBlock);
      }
    });
  }
  std::mutex found_mutex;
  std::string found;
  for (size_t i = 0; i < kWriters; ++i) {
    threads.emplace_back([&, i] {
      const OpenFile file(cache_.inside("database"), O_RDWR);
      for (uint64_t round = 0; !done; ++round, ++writes) {
        const std::string block(kBlock, static_cast<char>('a' + round % 26));
        file.write_at(i * kBlock, block);
        const std::string read = file.read_at(i * kBlock, kBlock);
        if (read == block) continue;
        const std::lock_guard lock(found_mutex);
        found = "writer " + std::to_string(i) + ", round " + std::to_string(round) + ": " + block[0] +
                " was written, " + read.substr(0, 1) + " was read";
        done = true;
      }
    });
  }
  for (const auto end = Clock::now() + std::chrono::seconds(4); !done && Clock::now() < end;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, "") << "after " << writes << " writes and " << looks << " looks";
  EXPECT_GT(writes, 100U);
}

// The kernel reads ahead into its pages even where reads and writes go past them.
TEST_F(OpenFiles, PagesFromBesidePassthroughAreNotKept) {
  write_file(cache_.outside("a"), "one");
  cache_.mount({.settings = {"flush.policy=manual"}});
  cache_.run("prefetch", "a");
  {
    const OpenFile file(cache_.inside("a"), O_RDWR);
    ASSERT_EQ(::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_WILLNEED), 0);
    file.write_at(3, " two");
  }
  const OpenFile appending(cache_.inside("a"), O_RDWR | O_APPEND);  // is never passed through
  EXPECT_EQ(read_again(appending), "one two");
}

// With passthrough the mapping is one of the chunk file, and the kernel gives the handle back before it is gone.
TEST_F(OpenFiles, AStoreIntoAMappingThatOutlivedItsHandleIsRead) {
  constexpr size_t kSize = 8192;
  cache_.mount({.settings = {"flush.policy=manual"}});
  write_file(cache_.inside("a"), std::string(kSize, '.'));
  void* map = MAP_FAILED;
  {
    const OpenFile file(cache_.inside("a"), O_RDWR);
    map = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
    ASSERT_NE(map, MAP_FAILED);
  }
  char* const bytes = static_cast<char*>(map);
  for (const int flags : {O_RDWR | O_APPEND, O_RDONLY, O_RDWR | O_SYNC}) {
    const OpenFile file(cache_.inside("a"), flags);
    for (char letter = 'a'; letter <= 'c'; ++letter) {
      bytes[5000] = letter;
      EXPECT_EQ(file.read_at(5000, 1), std::string(1, letter)) << flags;
    }
  }
  ::munmap(map, kSize);
}

// The kernel waits for pages that are being read before it drops them, and nothing can kill a process that waits so.
TEST_F(OpenFiles, AnEndWhileReadersOfAReplacedCopyWaitForTheOutsideIsInOrder) {
  constexpr int kReaders = 8;
  SlowOutside outside(cache_.external());
  write_file(outside.behind("a"), std::string(kReaders * kMiB, 'a'));
  cache_.mount({.settings = {"consistency.attr_ttl=100ms", "fetch.readahead=0", "fuse.passthrough=off",
                             "log.target=" + cache_.root() / "log"}});
  const OpenFile file(cache_.inside("a"));
  for (int i = 0; i < kReaders; ++i) ASSERT_EQ(file.read_at(i * kMiB, 1), "a");
  set_knob("hang", "read");
  overwrite(outside.behind("a"), 0, "b");
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&, i] {
      char byte = 0;
      (void)::pread(file.fd(), &byte, 1, i * kMiB + kMiB / 2);  // the mount may be gone first
    });
  }
  const auto replaced = [&] {
    return read_file(cache_.root() / "log").find("the copy is dropped") != std::string::npos;
  };
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  while (!replaced() && Clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(replaced());
  cache_.terminate();
  EXPECT_FALSE(cache_.ends_within(std::chrono::milliseconds(300))) << "readers wait: it can't have ended in order";
  set_knob("hang", "");
  EXPECT_TRUE(cache_.ends_within(std::chrono::seconds(20)));
  for (std::thread& reader : readers) reader.join();
  cache_.kill();
  cache_.mount();
  EXPECT_EQ(read_file(cache_.inside("a")).substr(0, 2), "ba");
  cache_.unmount();
}

}  // namespace
}  // namespace forebay::test
