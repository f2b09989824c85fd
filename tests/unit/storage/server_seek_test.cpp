// SEEK_DATA and SEEK_HOLE over files that are partly here and partly outside: as if all of it were in one place.
#include <gtest/gtest.h>

#include "tests/unit/storage/server_harness.h"

namespace forebay::storage {
namespace {

class ServerSeekTest : public testing::Test, protected ServerHarness {
 protected:
  // Outside: data in chunks 1 and 4 of 6, holes elsewhere.
  void SetUp() override {
    put_outside("");
    ASSERT_EQ(::truncate(outside_path().c_str(), 6 * kChunk), 0);
    const UniqueFd fd(::open(outside_path().c_str(), O_WRONLY));
    const std::string data = random_text(kChunk);
    ASSERT_TRUE(pwrite_full(fd.get(), data.data(), data.size(), kChunk));
    ASSERT_TRUE(pwrite_full(fd.get(), data.data(), data.size(), 4 * kChunk));
    open();
  }
  uint64_t seek(uint64_t offset, int whence) {
    const Result<uint64_t> found = server().seek({kFile, offset, whence});
    EXPECT_TRUE(found || found.error().code == ENXIO) << found.error().message();
    return found ? *found : UINT64_MAX;
  }
  void expect_map_of_outside() {
    EXPECT_EQ(seek(0, SEEK_DATA), kChunk);
    EXPECT_EQ(seek(0, SEEK_HOLE), 0u);
    EXPECT_EQ(seek(kChunk + 5, SEEK_DATA), kChunk + 5);
    EXPECT_EQ(seek(kChunk, SEEK_HOLE), 2 * kChunk);
    EXPECT_EQ(seek(2 * kChunk, SEEK_DATA), 4 * kChunk);
    EXPECT_EQ(seek(4 * kChunk, SEEK_HOLE), 5 * kChunk);
    EXPECT_EQ(seek(5 * kChunk, SEEK_DATA), UINT64_MAX) << "no data behind";
    EXPECT_EQ(seek(5 * kChunk, SEEK_HOLE), 5 * kChunk);
    EXPECT_EQ(seek(6 * kChunk, SEEK_DATA), UINT64_MAX);
    EXPECT_EQ(seek(6 * kChunk, SEEK_HOLE), UINT64_MAX);
  }
};

TEST_F(ServerSeekTest, NothingIsHere) {
  expect_map_of_outside();
  EXPECT_EQ(space().fetched_bytes, 0u) << "seeking fetches nothing";
}

TEST_F(ServerSeekTest, EverythingIsHere) {
  ASSERT_TRUE(server().fetch_all(kFile, std::chrono::minutes(1)));
  close();
  open();
  expect_map_of_outside();
}

TEST_F(ServerSeekTest, PartsAreHere) {
  read(2 * kChunk, 1);
  read(4 * kChunk, 1);
  expect_map_of_outside();
  read(0, 1);
  read(kChunk, 1);
  expect_map_of_outside();
}

TEST_F(ServerSeekTest, WrittenDataCounts) {
  write(2 * kChunk, std::string(kChunk, 'w'));
  EXPECT_EQ(seek(kChunk, SEEK_HOLE), 3 * kChunk);
  EXPECT_EQ(seek(2 * kChunk + 1, SEEK_DATA), 2 * kChunk + 1);
}

TEST_F(ServerSeekTest, AnExtensionIsAHole) {
  ASSERT_TRUE(server().truncate(kFile, 9 * kChunk));
  EXPECT_EQ(seek(5 * kChunk, SEEK_HOLE), 5 * kChunk);
  EXPECT_EQ(seek(8 * kChunk, SEEK_HOLE), 8 * kChunk);
  EXPECT_EQ(seek(5 * kChunk, SEEK_DATA), UINT64_MAX);
  write(8 * kChunk, "x");
  EXPECT_EQ(seek(5 * kChunk, SEEK_DATA), 8 * kChunk);
}

TEST_F(ServerSeekTest, WhatATruncationTookIsAHoleThoughTheOutsideHasIt) {
  ASSERT_TRUE(server().truncate(kFile, kChunk + 4096));
  ASSERT_TRUE(server().truncate(kFile, 6 * kChunk));
  EXPECT_EQ(seek(kChunk, SEEK_HOLE), kChunk + 4096);
  EXPECT_EQ(seek(2 * kChunk, SEEK_DATA), UINT64_MAX);
}

}  // namespace
}  // namespace forebay::storage
