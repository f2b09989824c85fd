// What a client's kernel has let go, told to the servers several at a time.
#include <thread>

#include "cachefs/let_go_queue.h"
#include "tests/unit/protocol/remote_services_harness.h"

namespace forebay {
namespace {

class LetGoTest : public RemoteServicesTest {
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
  void let_go(cachefs::LetGoQueue& queue, InodeId id, bool leased) {
    queue.release(id, O_RDONLY, leased);
    queue.forget(id, 1);
  }

  LayoutTable layouts_;
};
INSTANTIATE_TEST_SUITE_P(Sockets, LetGoTest, testing::Values(Over::kUnix, Over::kTcp), name_of_sockets);

TEST_P(LetGoTest, AllOfItIsToldWhenSomebodyNeedsThat) {
  cachefs::LetGoQueue queue(meta(), storage(), &layouts_);
  const InodeId first = create_unlinked("first"), second = create_unlinked("second"), third = create_unlinked("third");
  const InodeId kept = create("kept", "content");
  let_go(queue, first, false);
  let_go(queue, second, false);
  queue.tell_now();
  EXPECT_FALSE(is_there(first));
  EXPECT_FALSE(is_there(second));
  EXPECT_EQ(layouts_.handles(second), HandleCounts{});
  EXPECT_TRUE(is_there(third));
  EXPECT_NE(layouts_.handles(third), HandleCounts{});
  EXPECT_EQ(read(kept, 100), "content");
}

TEST_P(LetGoTest, ALeaseOfAFileThatStaysEndsToo) {
  if (GetParam() == Over::kTcp) GTEST_SKIP() << "there are none";
  cachefs::LetGoQueue queue(meta(), storage(), &layouts_);
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

TEST_P(LetGoTest, NobodyNeedsToAsk) {
  cachefs::LetGoQueue queue(meta(), storage(), &layouts_);
  const InodeId id = create_unlinked("file");
  let_go(queue, id, false);
  const auto until = std::chrono::steady_clock::now() + kSoon;
  while (is_there(id) && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_FALSE(is_there(id));
}

TEST_P(LetGoTest, AtTheEndWhatWasOpenIsClosed) {
  cachefs::LetGoQueue queue(meta(), storage(), &layouts_);
  const InodeId id = create_unlinked("file");
  meta().forget(id, 1);
  queue.release(id, O_RDONLY, false);
  queue.end();
  EXPECT_FALSE(is_there(id));
}

}  // namespace
}  // namespace forebay
