// What a client tells the servers some milliseconds later, several things at a time.
#include "cachefs/tell_queue.h"

#include <thread>

#include "tests/unit/protocol/remote_services_harness.h"

namespace forebay {
namespace {

class TellQueueTest : public RemoteServicesTest {
 protected:
  // A file that is open, and gone but for that.
  InodeId create_unlinked(const std::string& name) {
    const InodeId id = create(name, "content", O_RDONLY);
    layouts_.add(id, O_RDONLY, {});
    EXPECT_TRUE(meta().unlink(root_, kRootInode, name));
    return id;
  }
  bool is_there(InodeId id) { return harness_.storage().stat_file(id).value_or(ChunkState{}).exists; }
  // What may be written under a lease, or was until this looked.
  bool is_lent(InodeId id) {
    EXPECT_TRUE(harness_.storage().settle(id));
    return harness_.storage().stat_file(id).value_or(ChunkState{}).leased;
  }
  void let_go(cachefs::TellQueue& queue, InodeId id, bool leased) {
    queue.release(id, O_RDONLY, leased);
    queue.forget(id, 1);
  }

  LayoutTable layouts_;
};
INSTANTIATE_TEST_SUITE_P(Sockets, TellQueueTest, testing::Values(Over::kUnix, Over::kTcp), name_of_sockets);

TEST_P(TellQueueTest, AllOfItIsToldWhenSomebodyNeedsThat) {
  cachefs::TellQueue queue(meta(), storage(), &layouts_);
  const InodeId first = create_unlinked("first"), second = create_unlinked("second"), third = create_unlinked("third");
  const InodeId kept = create("kept", "content");
  let_go(queue, first, false);
  let_go(queue, second, false);
  queue.tell_now();
  EXPECT_FALSE(is_there(first));
  EXPECT_FALSE(is_there(second));
  EXPECT_EQ(layouts_.tell_handles(second), HandleCounts{});
  EXPECT_TRUE(is_there(third));
  EXPECT_NE(layouts_.tell_handles(third), HandleCounts{});
  EXPECT_EQ(read(kept, 100), "content");
}

TEST_P(TellQueueTest, ALeaseOfAFileThatStaysEndsToo) {
  if (GetParam() == Over::kTcp) GTEST_SKIP() << "there are none";
  cachefs::TellQueue queue(meta(), storage(), &layouts_);
  const InodeId id = create("file", "content");
  ASSERT_TRUE(storage().lease({.id = id, .writes = true}));
  EXPECT_TRUE(is_lent(id));
  ASSERT_TRUE(meta().open(root_, id, O_RDONLY));
  layouts_.add(id, O_RDONLY, {});
  queue.release(id, O_RDONLY, true);
  queue.tell_now();
  EXPECT_FALSE(is_lent(id));
  EXPECT_EQ(read(id, 100), "content") << "another has it open";
}

TEST_P(TellQueueTest, NobodyNeedsToAsk) {
  cachefs::TellQueue queue(meta(), storage(), &layouts_);
  const InodeId id = create_unlinked("file");
  let_go(queue, id, false);
  const auto until = std::chrono::steady_clock::now() + kSoon;
  while (is_there(id) && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_FALSE(is_there(id));
}

TEST_P(TellQueueTest, AtTheEndWhatWasOpenIsClosed) {
  cachefs::TellQueue queue(meta(), storage(), &layouts_);
  const InodeId id = create_unlinked("file");
  meta().forget(id, 1);
  queue.release(id, O_RDONLY, false);
  queue.end();
  EXPECT_FALSE(is_there(id));
}

// Opened without a question, and closed before anybody heard of it.
TEST_P(TellQueueTest, WhatIsClosedByThenIsNotOpened) {
  cachefs::TellQueue queue(meta(), storage(), &layouts_);
  const InodeId id = create_unlinked("file");
  meta().forget(id, 1);
  ASSERT_TRUE(layouts_.add_untold(id, {}));
  queue.opened(id);
  queue.release(id, O_RDONLY, false);
  queue.tell_now();
  EXPECT_FALSE(layouts_.has_untold(id));
  EXPECT_TRUE(is_there(id)) << "the other handle is open";
  queue.release(id, O_RDONLY, false);
  queue.tell_now();
  EXPECT_FALSE(is_there(id));
}

TEST_P(TellQueueTest, WhatIsOpenByThenIsOpenForTheServerToo) {
  cachefs::TellQueue queue(meta(), storage(), &layouts_);
  const InodeId id = create("file", "content");
  ASSERT_TRUE(layouts_.add_untold(id, {}));
  queue.opened(id);
  queue.tell_now();
  EXPECT_FALSE(layouts_.has_untold(id));
  meta().release(id, O_RDWR);
  ASSERT_TRUE(meta().unlink(root_, kRootInode, "file"));
  meta().forget(id, 1);
  EXPECT_EQ(read(id, 100), "content");
  queue.release(id, O_RDONLY, false);
  queue.tell_now();
  EXPECT_FALSE(is_there(id));
}

TEST_P(TellQueueTest, AFileThatLiesElsewhereByNowIsNotTakenForOpenThere) {
  Layout here, elsewhere;
  here.targets = {kTarget};
  elsewhere.targets = {kTarget + 1};
  layouts_.add(1, O_RDONLY, here);
  EXPECT_FALSE(layouts_.add_untold(1, elsewhere));
  EXPECT_TRUE(layouts_.add_untold(1, here));
  EXPECT_EQ(layouts_.find(1)->targets, here.targets);
}

}  // namespace
}  // namespace forebay
