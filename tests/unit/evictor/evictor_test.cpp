#include "evictor/evictor.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>

namespace forebay::evictor {
namespace {

// Files with sizes, and a record of what the evictor did to them.
class EvictorTest : public testing::Test {
 protected:
  struct File {
    uint64_t bytes = 0;
    FileUse use;
    int flush_error = 0, drop_error = 0;
  };

  void put(InodeId id, uint64_t bytes, FileUse use = {}) {
    files_[id] = {bytes, use, 0, 0};
    evictor_.touch(id);
  }
  uint64_t used() {
    const std::lock_guard lock(mutex_);
    uint64_t sum = 0;
    for (const auto& [id, file] : files_) sum += file.bytes;
    return sum;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<InodeId, File> files_;
  std::vector<std::string> done_;
  uint64_t capacity_ = 3200;
  Watermarks marks_{0, 0};

  Evictor evictor_{Actions{
                       [this](InodeId id) {
                         const std::lock_guard lock(mutex_);
                         return files_[id].use;
                       },
                       [this](InodeId id) -> Status {
                         const std::lock_guard lock(mutex_);
                         if (files_[id].flush_error != 0) return fail(files_[id].flush_error);
                         done_.push_back("flush " + std::to_string(id));
                         files_[id].use.dirty = false;
                         return {};
                       },
                       [this](InodeId id, uint64_t bytes) -> Result<uint64_t> {
                         const std::lock_guard lock(mutex_);
                         File& file = files_[id];
                         if (file.drop_error != 0) return fail(file.drop_error);
                         // A dirty file's data is never dropped; of an open one only what was asked for.
                         uint64_t freed = file.use.dirty ? 0 : file.bytes;
                         if (file.use.open) freed = std::min(freed, bytes);
                         file.bytes -= freed;
                         done_.push_back("drop " + std::to_string(id));
                         if (file.bytes == 0) evictor_.remove(id);
                         changed_.notify_all();
                         return freed;
                       },
                       [this] { return used(); },
                       [this] { return capacity_; },
                   },
                   [this] { return marks_; }};
};

using Done = std::vector<std::string>;
constexpr FileUse kOpen{true, false, false}, kDirty{false, true, false}, kPinned{false, false, true},
    kOpenDirty{true, true, false};

TEST_F(EvictorTest, TheLeastRecentlyUsedGoesFirst) {
  for (const InodeId id : {1, 2, 3}) put(id, 1000);
  evictor_.touch(1);
  ASSERT_TRUE(evictor_.make_room(500));
  EXPECT_EQ(done_, Done{"drop 2"});
  EXPECT_EQ(evictor_.evicted_bytes(), 1000u);
}

TEST_F(EvictorTest, NothingLeavesWhileThereIsRoom) {
  put(1, 100);
  ASSERT_TRUE(evictor_.make_room(500));
  EXPECT_EQ(done_, Done{});
}

TEST_F(EvictorTest, NoMoreLeavesThanMust) {
  for (const InodeId id : {1, 2, 3}) put(id, 1000);
  ASSERT_TRUE(evictor_.make_room(1500));
  EXPECT_EQ(done_, (Done{"drop 1", "drop 2"}));
}

TEST_F(EvictorTest, CleanFilesGoBeforeDirtyOnes) {
  put(1, 1000, kDirty);
  put(2, 1000);
  put(3, 1000);
  ASSERT_TRUE(evictor_.make_room(1000));
  EXPECT_EQ(done_.front(), "drop 2");
  EXPECT_TRUE(files_[1].use.dirty);
}

TEST_F(EvictorTest, DirtyFilesAreFlushedBeforeTheyAreDropped) {
  for (const InodeId id : {1, 2, 3}) put(id, 1000, kDirty);
  ASSERT_TRUE(evictor_.make_room(300));
  EXPECT_EQ(done_, (Done{"flush 1", "drop 1"}));
}

TEST_F(EvictorTest, OpenFilesGoLast) {
  put(1, 1000, kOpen);
  put(2, 1000, kOpenDirty);
  put(3, 1000, kDirty);
  ASSERT_TRUE(evictor_.make_room(1900));
  EXPECT_EQ(done_.at(0), "flush 3");
  EXPECT_EQ(done_.at(1), "drop 3");
  EXPECT_EQ(done_.at(2), "drop 1");
  EXPECT_TRUE(files_[2].use.dirty) << "its flush was not needed";
}

TEST_F(EvictorTest, OpenDirtyFilesAreFlushedWhenNothingElseIsLeft) {
  put(1, 3000, kOpenDirty);
  ASSERT_TRUE(evictor_.make_room(1000));
  EXPECT_NE(std::find(done_.begin(), done_.end(), "flush 1"), done_.end());
  EXPECT_GE(files_[1].bytes, 1500u) << "an open file loses what is needed, not all";
}

TEST_F(EvictorTest, PinnedFilesStay) {
  put(1, 1000, kPinned);
  put(2, 1000, kPinned);
  put(3, 1000);
  ASSERT_TRUE(evictor_.make_room(1000));
  EXPECT_EQ(done_, Done{"drop 3"});
}

TEST_F(EvictorTest, ACacheFullOfPinnedFilesHasNoSpace) {
  for (const InodeId id : {1, 2, 3}) put(id, 1000, kPinned);
  const Status made = evictor_.make_room(1000);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ENOSPC);
  EXPECT_NE(made.error().context.find("pinned"), std::string::npos);
  EXPECT_EQ(done_, Done{});
}

TEST_F(EvictorTest, AFlushThatFailsIsTheErrorWhenNothingElseHelps) {
  put(1, 3000, kDirty);
  files_[1].flush_error = EIO;
  EXPECT_EQ(evictor_.make_room(1000).error().code, EIO);
  EXPECT_EQ(files_[1].bytes, 3000u) << "and its data stays";
}

TEST_F(EvictorTest, AFlushThatFailsDoesNotStopTheOthers) {
  put(1, 1500, kDirty);
  put(2, 1500, kDirty);
  files_[1].flush_error = EIO;
  ASSERT_TRUE(evictor_.make_room(1000));
  EXPECT_EQ(files_[2].bytes, 0u);
}

TEST_F(EvictorTest, ADropThatFailsIsTheErrorWhenNothingElseHelps) {
  put(1, 3000);
  files_[1].drop_error = EROFS;
  EXPECT_EQ(evictor_.make_room(1000).error().code, EROFS);
}

TEST_F(EvictorTest, InTheBackgroundItGoesDownToTheLowWatermark) {
  for (InodeId id = 1; id <= 30; ++id) put(id, 100);
  marks_ = {2500, 1000};
  evictor_.start();
  evictor_.kick();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_.size() >= 20; });
  }
  evictor_.stop();
  EXPECT_EQ(used(), 1000u);
  EXPECT_EQ(files_[30].bytes, 100u);
  EXPECT_EQ(files_[1].bytes, 0u);
}

TEST_F(EvictorTest, InTheBackgroundOpenFilesStay) {
  put(1, 1000, kOpen);
  put(2, 1000, kOpenDirty);
  put(3, 1000);
  marks_ = {500, 100};
  evictor_.start();
  evictor_.kick();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !done_.empty(); });
  }
  evictor_.stop();
  EXPECT_EQ(done_, Done{"drop 3"});
}

TEST_F(EvictorTest, StopsWithoutHavingBeenStarted) {
  evictor_.kick();
  evictor_.stop();
  evictor_.stop();
}

}  // namespace
}  // namespace forebay::evictor
