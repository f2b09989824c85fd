// A new file of which the target hears from the client that has made it, with the lease that it asks for.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/server_harness.h"

namespace forebay::storage {
namespace {

class ServerNewFileTest : public testing::Test, protected ServerHarness {
 protected:
  static constexpr uint64_t kRun = 77;

  ServerNewFileTest() {
    options().run = kRun;
    restart();
    put_outside("");
    request_.id = kFile;
    request_.source = ref();
    request_.version = outside_version();
    request_.layout.chunk_size_bytes = kChunk;
    request_.created = request_.lease_announced = true;
    request_.run = kRun;
  }

  Result<UniqueFd> lease(bool writes = true) {
    LeaseRequest lease{.id = kFile, .writes = writes};
    lease.new_file = request_;
    return server().lease(lease);
  }
  void expect_refused() {
    const Result<UniqueFd> lent = lease();
    ASSERT_FALSE(lent);
    EXPECT_EQ(lent.error().code, EBADFD);
  }

  CachingFileRequest request_;
};

TEST_F(ServerNewFileTest, IsKnownOpenAndLent) {
  ASSERT_TRUE(lease());
  EXPECT_EQ(meta().marked_dirty, 0) << "it was announced";
  write(0, "content");
  EXPECT_EQ(read_all(), "content");
  server().end_lease(kFile);
  close();
  flush();
  EXPECT_EQ(outside(), "content");
}

TEST_F(ServerNewFileTest, IsOpenAlsoWhereNothingIsLent) {
  const Result<UniqueFd> lent = lease(false);  // it is empty
  ASSERT_FALSE(lent);
  EXPECT_EQ(lent.error().code, ENODATA);
  write(0, "content");
  EXPECT_EQ(read_all(), "content");
}

TEST_F(ServerNewFileTest, IsNotTakenFromAnEarlierRun) {
  request_.run = kRun + 1;
  expect_refused();
}

TEST_F(ServerNewFileTest, IsNotNewWhenAnotherHasItOpen) {
  open();
  expect_refused();
}

TEST_F(ServerNewFileTest, IsNotNewWhenItHasData) {
  open();
  write(0, "content");
  close();
  expect_refused();
  EXPECT_EQ(read_all(), "content");
}

TEST_F(ServerNewFileTest, IsNotNewWhenItWasCalledClean) {
  ASSERT_TRUE(server().settle(kFile));
  expect_refused();
  ++request_.id;
  LeaseRequest later{.id = request_.id, .writes = true};
  later.new_file = request_;
  EXPECT_TRUE(server().lease(later)) << "a younger one is new";
}

TEST_F(ServerNewFileTest, IsNotNewWhenItsDataWereDropped) {
  open();
  write(0, "content");
  close();
  flush();
  ASSERT_TRUE(server().drop(kFile, UINT64_MAX));
  expect_refused();
}

TEST_F(ServerNewFileTest, IsNotNewWhenItWasGivenUp) {
  open();
  write(0, "content");
  close();
  ASSERT_TRUE(server().discard(kFile));
  expect_refused();
}

TEST_F(ServerNewFileTest, IsEmpty) {
  request_.version.size = 1;
  expect_refused();
}

}  // namespace
}  // namespace forebay::storage
