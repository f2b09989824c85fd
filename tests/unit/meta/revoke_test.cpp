// What clients are told of a file that changes outside while they have it open.
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/meta/server_harness.h"

namespace forebay::meta {
namespace {

class Revocation : public testing::Test, protected MetaHarness {
 protected:
  // A client that has pages, and drops them when the test says so.
  void SetUp() override {
    meta().on_replaced([this](InodeId id, uint64_t generation) { asked_.push_back({id, generation}); });
  }
  void TearDown() override { meta().on_replaced({}); }

  InodeId open_file(const std::string& content) {
    test::write_file(outside("a"), content);
    const InodeId id = lookup("a").id;
    EXPECT_TRUE(meta().open(root(), id, O_RDONLY));
    EXPECT_FALSE(meta().use_pages(id)) << "there may be some of earlier times";
    EXPECT_EQ(read_open(id), content);
    return id;
  }
  std::string read_open(InodeId id) {
    std::string buffer(1 << 20, '?');
    const Result<size_t> bytes = storage().read(id, 0, buffer);
    EXPECT_TRUE(bytes) << bytes.error().message();
    buffer.resize(bytes.value_or(0));
    return buffer;
  }
  uint64_t size_of(InodeId id) { return meta().getattr(id)->attributes.size; }
  void drop_pages(size_t asked) { meta().pages_revoked(asked_.at(asked).id, asked_.at(asked).generation); }

  struct Asked {
    InodeId id;
    uint64_t generation;
  };
  std::vector<Asked> asked_;
};

TEST_F(Revocation, TheOldAttributesAreShownUntilTheOldPagesAreGone) {
  const InodeId id = open_file("one");
  test::write_file(outside("a"), "two three");
  EXPECT_EQ(size_of(id), 3u);
  ASSERT_EQ(asked_.size(), 1u);
  EXPECT_EQ(size_of(id), 3u);
  EXPECT_EQ(lookup("a").attributes.size, 3u);
  EXPECT_EQ(lookup("a").valid_for.count(), 0) << "it is news that come at any moment";
  EXPECT_EQ(read_open(id), "two three") << "what the client has no page of is new";
  EXPECT_EQ(asked_.size(), 1u) << "once is enough";
  drop_pages(0);
  EXPECT_EQ(size_of(id), 9u);
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(Revocation, ASecondChangeMeansASecondRevocation) {
  const InodeId id = open_file("one");
  test::write_file(outside("a"), "two three");
  size_of(id);
  test::write_file(outside("a"), "four five six");
  drop_pages(0);
  EXPECT_EQ(size_of(id), 3u) << "the look after that finds the second change";
  ASSERT_EQ(asked_.size(), 2u);
  drop_pages(0);
  EXPECT_EQ(size_of(id), 3u) << "this was the answer to the first question";
  drop_pages(1);
  EXPECT_EQ(size_of(id), 13u);
}

TEST_F(Revocation, NobodyIsAskedForAFileThatIsNotOpen) {
  const InodeId id = open_file("one");
  meta().release(id, O_RDONLY);
  test::write_file(outside("a"), "two three");
  EXPECT_EQ(size_of(id), 9u);
  EXPECT_TRUE(asked_.empty());
  ASSERT_TRUE(meta().open(root(), id, O_RDONLY));
  EXPECT_FALSE(meta().use_pages(id)) << "who opens it is told";
  meta().release(id, O_RDONLY);
}

TEST_F(Revocation, PagesStayFromOneOpenToTheNextUnlessAHandleWentPastThem) {
  const InodeId id = open_file("one");
  EXPECT_TRUE(meta().use_pages(id));
  meta().bypass_pages(id);
  EXPECT_FALSE(meta().use_pages(id));
  EXPECT_TRUE(meta().use_pages(id));
}

// Where a setattr or a fetch opens the file, no page of the client is dropped.
TEST_F(Revocation, WhatWeOpenForOurselvesIsNoOpenOfTheClient) {
  const InodeId id = open_file("one");
  meta().release(id, O_RDONLY);
  test::write_file(outside("a"), "other");
  SetAttributes change;
  change.set_size = true;
  change.size = 4;
  ASSERT_TRUE(meta().setattr(root(), id, change));
  ASSERT_TRUE(meta().open(root(), id, O_RDONLY));
  EXPECT_FALSE(meta().use_pages(id));
  meta().release(id, O_RDONLY);
}

TEST_F(Revocation, AFileThatWasEmptyWhenItWasOpenedHasACopyAsWell) {
  const InodeId id = open_file("");
  test::write_file(outside("a"), "one");
  size_of(id);
  ASSERT_EQ(asked_.size(), 1u);
  drop_pages(0);
  EXPECT_EQ(size_of(id), 3u);
  EXPECT_EQ(read_open(id), "one");
  kill();
  EXPECT_TRUE(state(lookup("a").id).cached) << "it has a row, like every copy";
}

TEST_F(Revocation, WhatIsWrittenHereIsNewerThanWhatIsRevoked) {
  const InodeId id = open_file("one");
  test::write_file(outside("a"), "two three");
  size_of(id);
  write(id, 9, " four");
  EXPECT_EQ(size_of(id), 14u);
  flush();
  EXPECT_EQ(size_of(id), 14u) << "although the client has not answered";
  EXPECT_EQ(outside_content("a"), "two three four");
}

TEST_F(Revocation, AConflictThatTheOutsideWinsTakesThePagesAway) {
  config().consistency.conflict = ConflictRule::kExternalWins;
  stop();
  start();
  SetUp();
  const InodeId id = open_file("one");
  write(id, 0, "OURS, LONGER");
  test::write_file(outside("a"), "theirs");
  EXPECT_EQ(flush().conflicts, 1u);
  ASSERT_EQ(asked_.size(), 1u);
  EXPECT_EQ(size_of(id), 12u) << "that of the pages";
  drop_pages(0);
  EXPECT_EQ(size_of(id), 6u);
  EXPECT_EQ(read_open(id), "theirs");
}

TEST_F(Revocation, ChangesOfOurOwnTakeNoPagesAway) {
  const InodeId id = open_file("one");
  SetAttributes change;
  change.set_mode = true;
  change.mode = 0600;
  ASSERT_TRUE(meta().setattr(root(), id, change));
  ASSERT_TRUE(meta().link(root(), id, kRootInode, "b"));
  ASSERT_TRUE(meta().rename(root(), kRootInode, "b", kRootInode, "c", 0));
  write(id, 0, "two");
  flush();
  EXPECT_EQ(size_of(id), 3u);
  EXPECT_TRUE(asked_.empty());
}

}  // namespace
}  // namespace forebay::meta
