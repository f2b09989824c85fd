// Reads that are not passed through, without a copy. All other mount tests run so as well (scripts/test: io_uring and
// passthrough off).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/files.h"
#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

class Splice : public testing::Test {
 protected:
  void mount(const std::string& io_uring) {
    cache_.mount({.settings = {"fuse.passthrough=off", "fuse.io_uring=" + io_uring, "flush.delay=1h"}});
  }
  // The kernel's pages go, so that the next read comes to us.
  void forget_pages(const std::string& name) const {
    const OpenFile fd(cache_.inside(name), O_RDONLY);
    ASSERT_EQ(::posix_fadvise(fd.fd(), 0, 0, POSIX_FADV_DONTNEED), 0);
  }
  MountedCache cache_;
};

TEST_F(Splice, IsUsedUnlessRequestsComeThroughIoUring) {
  mount("off");
  EXPECT_EQ(cache_.status().at("splice"), "on");
  cache_.unmount();
  mount("on");
  if (cache_.status().at("io_uring") == "on") {
    EXPECT_EQ(cache_.status().at("splice"), "off: replies go through io_uring");
  }
}

TEST_F(Splice, ReadsOfAllSizesAndPlacesArriveWhole) {
  const std::string bytes = noise((5 << 20) + 7);
  mount("off");
  write_file(cache_.inside("file"), bytes);
  for (const size_t size : {size_t{32} << 10, size_t{1} << 20, size_t{3} << 20}) {
    for (size_t at = 1; at < bytes.size(); at += size + 4097) {
      forget_pages("file");
      const OpenFile fd(cache_.inside("file"), O_RDONLY);
      std::string got(size, '?');
      const ssize_t count = ::pread(fd.fd(), got.data(), got.size(), static_cast<off_t>(at));
      ASSERT_GE(count, 0);
      got.resize(static_cast<size_t>(count));
      ASSERT_EQ(content_difference(bytes.substr(at, size), got), "") << size << " bytes at " << at;
    }
  }
  const auto hits = cache_.status().at("hits").get<uint64_t>();
  forget_pages("file");
  EXPECT_EQ(read_file(cache_.inside("file")).size(), bytes.size());
  EXPECT_GT(cache_.status().at("hits").get<uint64_t>(), hits);
}

// Holes, an extension without data, and a file that is cut off while it is read.
TEST_F(Splice, WhatHasNoDataReadsAsZeros) {
  mount("off");
  write_file(cache_.inside("file"), "begin");
  ASSERT_EQ(::truncate(cache_.inside("file").c_str(), 3 << 20), 0);
  forget_pages("file");
  const std::string expected = "begin" + std::string((3 << 20) - 5, '\0');
  EXPECT_EQ(content_difference(expected, read_file(cache_.inside("file"))), "");
}

TEST_F(Splice, AReaderBesideAWriterSeesWhatWasWritten) {
  constexpr size_t kBytes = 2 << 20;
  constexpr size_t kBlock = 64 << 10;
  mount("off");
  write_file(cache_.inside("file"), std::string(kBytes, 'a'));
  std::atomic<bool> done{false};
  std::thread writer([&] {
    const OpenFile fd(cache_.inside("file"), O_WRONLY);
    for (int round = 1; round <= 40; ++round) {
      const std::string block(kBlock, static_cast<char>('a' + round % 26));
      for (size_t at = 0; at < kBytes; at += kBlock) {
        EXPECT_EQ(::pwrite(fd.fd(), block.data(), kBlock, static_cast<off_t>(at)), static_cast<ssize_t>(kBlock));
      }
    }
    done = true;
  });
  while (!done) {
    forget_pages("file");
    const std::string got = read_file(cache_.inside("file"));
    EXPECT_EQ(got.size(), kBytes);
    EXPECT_EQ(got.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), got.npos);
  }
  writer.join();
  forget_pages("file");
  EXPECT_EQ(content_difference(std::string(kBytes, static_cast<char>('a' + 40 % 26)), read_file(cache_.inside("file"))),
            "");
}

}  // namespace
}  // namespace forebay::test
