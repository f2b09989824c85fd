#include "core/io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace forebay {
namespace {

using test::TempDir;

std::string pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 31 % 26);
  return text;
}

class Io : public testing::Test {
 protected:
  void SetUp() override {
    fd_.reset(::open((dir_ / "file").c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_TRUE(fd_);
  }
  void fill(const std::string& content) { ASSERT_TRUE(pwrite_full(fd_.get(), content.data(), content.size(), 0)); }

  TempDir dir_;
  UniqueFd fd_;
};

TEST_F(Io, ReadsFewerBytesOnlyAtTheEnd) {
  fill("0123456789");
  char buffer[16] = {};
  EXPECT_EQ(pread_full(fd_.get(), buffer, 4, 3).value(), 4u);
  EXPECT_EQ(std::string(buffer, 4), "3456");
  EXPECT_EQ(pread_full(fd_.get(), buffer, 16, 6).value(), 4u);
  EXPECT_EQ(std::string(buffer, 4), "6789");
  EXPECT_EQ(pread_full(fd_.get(), buffer, 16, 10).value(), 0u);
  EXPECT_EQ(pread_full(fd_.get(), buffer, 16, 1000).value(), 0u);
}

TEST_F(Io, WritesAtItsOffsetAndLeavesTheRest) {
  fill("0123456789");
  ASSERT_TRUE(pwrite_full(fd_.get(), "xyz", 3, 4));
  EXPECT_EQ(test::read_file(dir_ / "file"), "0123xyz789");
}

TEST_F(Io, ReportsTheErrnoOfTheCall) {
  char buffer[4] = {};
  EXPECT_EQ(pread_full(-1, buffer, 4, 0).error().code, EBADF);
  EXPECT_EQ(pwrite_full(-1, buffer, 4, 0).error().code, EBADF);
  EXPECT_EQ(block_io(-1, buffer, 4, 0, 2, Direction::kRead).error().code, EBADF);
  EXPECT_EQ(block_io(-1, buffer, 4, 0, 2, Direction::kWrite).error().code, EBADF);
}

TEST_F(Io, ADiskThatIsFullIsReported) {
  const UniqueFd full(::open("/dev/full", O_WRONLY));
  ASSERT_TRUE(full);
  EXPECT_EQ(pwrite_full(full.get(), "x", 1, 0).error().code, ENOSPC);
}

TEST_F(Io, BlocksMoveEveryByteWhateverTheirSize) {
  const std::string content = pattern(100'003);
  for (const size_t block : {size_t{1}, size_t{7}, size_t{4096}, size_t{65536}, size_t{1} << 30}) {
    if (block == 1 && ::ftruncate(fd_.get(), 0) != 0) FAIL();
    const size_t length = block == 1 ? 1000 : content.size();  // a call for each byte is slow
    std::string source = content.substr(0, length);
    EXPECT_EQ(block_io(fd_.get(), source.data(), length, 17, block, Direction::kWrite).value(), length) << block;
    std::string found(length, '\0');
    EXPECT_EQ(block_io(fd_.get(), found.data(), length, 17, block, Direction::kRead).value(), length) << block;
    EXPECT_EQ(found, source) << block;
  }
}

TEST_F(Io, BlocksReadUpToTheEndOfTheFile) {
  fill(pattern(10'000));
  std::string found(20'000, '\0');
  EXPECT_EQ(block_io(fd_.get(), found.data(), found.size(), 0, 4096, Direction::kRead).value(), 10'000u);
  EXPECT_EQ(block_io(fd_.get(), found.data(), found.size(), 8192, 4096, Direction::kRead).value(), 1808u);
  EXPECT_EQ(block_io(fd_.get(), found.data(), found.size(), 12'288, 4096, Direction::kRead).value(), 0u);
}

TEST_F(Io, NothingToMoveIsNoError) {
  EXPECT_EQ(block_io(fd_.get(), nullptr, 0, 5, 4096, Direction::kRead).value(), 0u);
  EXPECT_EQ(block_io(fd_.get(), nullptr, 0, 5, 4096, Direction::kWrite).value(), 0u);
}

TEST(UniqueFd, ClosesWhatItOwnsExactlyOnce) {
  int raw[2];
  ASSERT_EQ(::pipe(raw), 0);
  UniqueFd reader(raw[0]);
  {
    UniqueFd writer(raw[1]);
    UniqueFd moved = std::move(writer);
    EXPECT_FALSE(writer);  // NOLINT(bugprone-use-after-move): what it is then is the point
    EXPECT_EQ(moved.get(), raw[1]);
  }
  char byte;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "the last writer is closed";
  EXPECT_EQ(reader.release(), raw[0]);
  EXPECT_FALSE(reader);
  EXPECT_EQ(::close(raw[0]), 0) << "release() did not close it";
}

}  // namespace
}  // namespace forebay
