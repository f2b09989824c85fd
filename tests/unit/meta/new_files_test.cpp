// New files in a cluster: their target is told by the client that has made them, or not at all while they stay empty.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "core/io.h"
#include "tests/unit/meta/server_harness.h"

namespace forebay::meta {
namespace {

const std::string kContent = "content";

TargetList one_target() {
  TargetInfo target;
  target.node = "here";
  target.run = MetaHarness::kRun;
  return std::make_shared<const std::vector<TargetInfo>>(1, target);
}

class NewFiles : public testing::Test, protected MetaHarness {
 protected:
  static constexpr int kEnough = 16;  // EmptyFiles::kEnough

  NewFiles() : MetaHarness(ConflictRule::kKeepBoth, one_target) {}

  CreateReply make(const std::string& name, const std::string& node = "here") {
    Caller caller;
    caller.node = node;
    const Result<CreateReply> made = meta().create(caller, kRootInode, name, 0644, O_WRONLY);
    EXPECT_TRUE(made) << made.error().message();
    return made.value_or(CreateReply{});
  }
  // As a client does with what create() has told it.
  Result<UniqueFd> lease(const CreateReply& made) {
    LeaseRequest request{.id = made.id, .writes = true};
    request.new_file = made.new_file;
    return storage().lease(request);
  }
  void write_through_lease(const Result<UniqueFd>& lent, const std::string& data) {
    ASSERT_TRUE(lent) << lent.error().message();
    const std::string path = fmt::format("/proc/self/fd/{}", lent->get());
    const UniqueFd own(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(pwrite_full(own.get(), data.data(), data.size(), 0));
  }
  void close(InodeId id, bool lent) {
    if (lent) storage().end_lease(id);
    meta().release(id, O_WRONLY);
  }
  // Until the next is taken for one that stays empty. One of which the lease watch has found the end counts for none.
  void make_many_empty() {
    for (int i = 0; i < 4 * kEnough; ++i) {
      const CreateReply made = make("empty" + std::to_string(i));
      if (made.likely_empty) {
        EXPECT_GE(i, kEnough);
        return close(made.id, false);
      }
      EXPECT_TRUE(lease(made));
      close(made.id, true);
    }
    FAIL() << "none was taken for empty";
  }
};

TEST_F(NewFiles, TheClientTellsTheTargetOfItsOwnNode) {
  const CreateReply made = make("file");
  ASSERT_TRUE(made.new_file);
  const auto unknown = storage().write(made.id, 0, kContent);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, EBADFD);
  write_through_lease(lease(made), kContent);
  flush();
  EXPECT_EQ(outside_content("file"), kContent);
  close(made.id, true);
}

TEST_F(NewFiles, OnOtherNodesTheServerTellsIt) {
  const CreateReply made = make("file", "elsewhere");
  EXPECT_FALSE(made.new_file);
  EXPECT_TRUE(storage().write(made.id, 0, kContent));
  flush();
  EXPECT_EQ(outside_content("file"), kContent);
}

// It is clean then, and what is written unseen must be announced once more.
TEST_F(NewFiles, WhoFindsItCleanBeforeTheTargetHasHeardTakesTheAnnouncementBack) {
  const CreateReply made = make("file");
  meta().lease_settled(made.id);
  const Result<UniqueFd> lent = lease(made);
  ASSERT_FALSE(lent);
  EXPECT_EQ(lent.error().code, EBADFD);
  ASSERT_TRUE(meta().reopen(root(), made.id, {0, 1, 0}));
  write_through_lease(storage().lease({.id = made.id, .writes = true}), kContent);
  flush();
  EXPECT_EQ(outside_content("file"), kContent);
}

// The client was slow: others have written the file, and it has left the cache.
TEST_F(NewFiles, WhatTheServerKnewWhenItWasMadeIsNotTakenForWhatItIs) {
  const CreateReply made = make("file");
  write(made.id, 0, kContent);
  flush();
  ASSERT_TRUE(storage().drop(made.id, UINT64_MAX));
  EXPECT_FALSE(lease(made));
  ASSERT_TRUE(meta().reopen(root(), made.id, {0, 1, 0}));
  EXPECT_EQ(read(made.id), kContent);
}

TEST_F(NewFiles, WhereTheyStayEmptyTheNextIsTakenForOneOfThem) {
  make_many_empty();
  const CreateReply made = make("file");
  EXPECT_TRUE(made.likely_empty);
  EXPECT_FALSE(made.new_file);
  close(made.id, false);
  EXPECT_TRUE(make("another").likely_empty);
}

TEST_F(NewFiles, WhatIsTakenForEmptyIsWrittenAllTheSame) {
  make_many_empty();
  const CreateReply made = make("file");
  const auto unknown = storage().write(made.id, 0, kContent);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, EBADFD);
  ASSERT_TRUE(meta().reopen(root(), made.id, {0, 1, 0}));
  ASSERT_TRUE(storage().write(made.id, 0, kContent));
  EXPECT_FALSE(make("another").likely_empty);
  close(made.id, false);
  flush();
  EXPECT_EQ(outside_content("file"), kContent);
}

TEST_F(NewFiles, OneThatIsWrittenEndsTheRow) {
  const CreateReply old = make("old");
  write_through_lease(lease(old), kContent);
  close(old.id, true);
  make_many_empty();
  EXPECT_TRUE(make("empty").likely_empty);
  write(old.id, 0, kContent);  // an old one says nothing of the new
  EXPECT_TRUE(make("still empty").likely_empty);
  const CreateReply remote = make("file", "elsewhere");
  EXPECT_TRUE(remote.likely_empty) << "there, too";
  ASSERT_TRUE(meta().reopen(root(), remote.id, {0, 1, 0}));
  ASSERT_TRUE(storage().write(remote.id, 0, kContent));
  const CreateReply next = make("next");
  EXPECT_FALSE(next.likely_empty);
  EXPECT_TRUE(next.new_file);
}

}  // namespace
}  // namespace forebay::meta
