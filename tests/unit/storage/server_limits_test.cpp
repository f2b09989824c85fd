// What a storage server does not do without end: with many files, and with files that are nothing but holes.
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <malloc.h>

#include "tests/unit/storage/server_harness.h"

namespace forebay::storage {
namespace {

class StorageLimits : public testing::Test, protected ServerHarness {
 protected:
  // So large that nobody gets through it in small steps; or 0, where the file system has no such files.
  uint64_t extend_by_a_hole() {
    constexpr uint64_t kHoleBytes = uint64_t{8} << 40;
    put_outside("content");
    open();
    const Status extended = server().allocate(kFile, FALLOC_FL_ZERO_RANGE, 1 << 20, kHoleBytes);
    return extended ? state().size : 0;
  }
};

TEST_F(StorageLimits, FilesThatWereClosedAreForgotten) {
  put_outside("content");
  const auto use = [&](InodeId id) {
    CachingFileRequest request;
    request.id = id;
    request.source = ref();
    request.version = outside_version();
    request.layout.chunk_size_bytes = kChunk;
    ASSERT_TRUE(server().caching_file(request));
    server().close_file(id);
  };
  InodeId id = 1000;
  for (; id < 3000; ++id) use(id);
  const size_t before = ::mallinfo2().uordblks;
  constexpr size_t kFiles = 20'000;
  for (const InodeId last = id + kFiles; id < last; ++id) use(id);
  const size_t after = ::mallinfo2().uordblks;
  EXPECT_LT(after, before + kFiles * 100) << (after - before) / kFiles << " bytes are left of each";
}

TEST_F(StorageLimits, ALongHoleIsFlushedAtOnce) {
  const uint64_t size = extend_by_a_hole();
  if (size == 0) GTEST_SKIP() << "this file system has no such files";
  const auto begin = std::chrono::steady_clock::now();
  flush();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  struct stat outside_now = {};
  ASSERT_EQ(::stat(outside_path().c_str(), &outside_now), 0);
  EXPECT_EQ(static_cast<uint64_t>(outside_now.st_size), size);
}

TEST_F(StorageLimits, ALongHoleIsCopiedAtOnce) {
  const uint64_t size = extend_by_a_hole();
  if (size == 0) GTEST_SKIP() << "this file system has no such files";
  write(size - 3, "end");
  const std::string path = dir() / "outside/beside";
  test::write_file(path, "");
  const auto begin = std::chrono::steady_clock::now();
  const consistency::Probe made = tree().probe_child(tree().root_fd(), "beside").value();
  ASSERT_TRUE(server().copy_out(kFile, {"beside", made.identity, nullptr}, size));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  struct stat copied = {};
  ASSERT_EQ(::stat(path.c_str(), &copied), 0);
  EXPECT_EQ(static_cast<uint64_t>(copied.st_size), size);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(10, '?');
  EXPECT_EQ(pread_full(fd.get(), text.data(), 7, 0).value_or(0), 7u);
  EXPECT_EQ(text.substr(0, 7), "content");
  EXPECT_EQ(pread_full(fd.get(), text.data(), 10, size - 3).value_or(0), 3u);
  EXPECT_EQ(text.substr(0, 3), "end");
}

}  // namespace
}  // namespace forebay::storage
