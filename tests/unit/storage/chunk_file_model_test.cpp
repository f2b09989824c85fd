// Random sequences of everything that can happen to a chunk file, compared after each step with a model: the file's
// bytes as an application sees them, and which of them are dirty at most.
#include <gtest/gtest.h>

#include <random>

#include "storage/chunk_file.h"
#include "tests/unit/storage/chunk_harness.h"

namespace forebay::storage {
namespace {

constexpr uint64_t kMostBytes = 40'000;

class Walk : private ChunkHarness {
 public:
  explicit Walk(uint32_t seed) : random_(seed) {}

  void run(int steps) {
    begin(random_text(random_() % kMostBytes));
    expected_ = outside();
    for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
      const std::string what = take_step();
      check(step, what);
    }
    if (file().flushing()) end_flush(true);
    flush();
    ASSERT_EQ(outside(), expected_) << "after the last flush";
    ASSERT_FALSE(file().dirty());
  }

  uint64_t booked_dirty_bytes() const { return space().dirty(); }

 private:
  std::string random_text(uint64_t bytes) {
    std::string text(bytes, '\0');
    for (char& c : text) c = static_cast<char>('a' + random_() % 26);
    return text;
  }
  uint64_t below(uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }

  std::string take_step() {
    switch (random_() % 12) {
      case 0:
      case 1:
      case 2: {
        const uint64_t offset = below(kMostBytes);
        const std::string data = random_text(1 + below(random_() % 4 == 0 ? 9000 : 200));
        write(offset, data);
        if (expected_.size() < offset + data.size()) expected_.resize(offset + data.size(), '\0');
        expected_.replace(offset, data.size(), data);
        return fmt::format("write {} at {}", data.size(), offset);
      }
      case 3: {
        const uint64_t size = random_() % 3 == 0 ? file().size() : below(kMostBytes);
        EXPECT_TRUE(file().set_size(size));
        expected_.resize(size, '\0');
        return fmt::format("size {}", size);
      }
      case 4:
      case 5: {
        const uint64_t offset = below(kMostBytes);
        // Under a flush missing bytes of the part that it moves are in motion; the server fetches them all the same.
        fetch({offset, offset + 1 + below(8000)});
        return fmt::format("fetch at {}", offset);
      }
      case 6:
        EXPECT_TRUE(file().punch_clean(below(20'000)));
        return "punch";
      case 7:
        if (file().flushing()) return end_flush(random_() % 3 != 0);
        plan_ = file().begin_flush();
        moved_ = false;
        return "begin flush";
      case 8:
        if (!file().flushing() || moved_) return "nothing";
        move_out(plan_);
        moved_ = true;
        return "move out";
      case 9:
        EXPECT_TRUE(file().touch());
        return "touch";
      case 10:
        if (random_() % 2 == 0) {
          EXPECT_TRUE(file().sync());
          return "sync";
        }
        [[fallthrough]];
      default:
        kill();  // perhaps in the middle of a flush, before or after it changed the outside
        return "kill";
    }
  }

  std::string end_flush(bool commit) {
    if (commit && !moved_) move_out(plan_);
    if (commit || moved_) moved_ = true;
    if (!commit) {
      file().abort_flush();
      EXPECT_TRUE(file().set_version(version_of(outside().size(), ++version_)));
      return "abort";
    }
    EXPECT_TRUE(file().commit_flush(version_of(outside().size(), ++version_)));
    return "commit";
  }

  void check(int step, const std::string& what) {
    SCOPED_TRACE(testing::Message() << "step " << step << ": " << what << "; " << describe(file()));
    ASSERT_EQ(file().size(), expected_.size());
    const std::string found = content();
    if (found != expected_) {
      uint64_t at = 0;
      while (found[at] == expected_[at]) ++at;
      FAIL() << "byte " << at << " is " << int{found[at]} << ", not " << int{expected_[at]};
    }
    // Whatever is not dirty must be outside already: otherwise no flush would ever bring it there.
    if (file().flushing()) return;
    const bool same = outside() == expected_;
    ASSERT_TRUE(same || file().dirty());
    for (uint64_t at = 0; at < std::min<uint64_t>(file().base(), outside().size()); ++at) {
      ASSERT_TRUE(outside()[at] == expected_[at] || file().dirty_extents().contains(at, at + 1)) << at;
    }
  }

  std::mt19937 random_;
  std::string expected_;
  ChunkFile::FlushPlan plan_;
  bool moved_ = false;
  int64_t version_ = 5000;
};

TEST(ChunkFileModel, RandomSequencesWithKillsShowTheRightBytes) {
  const uint32_t seed = std::random_device{}();
  testing::Test::RecordProperty("seed", std::to_string(seed));
  for (uint32_t walk = 0; walk < 12; ++walk) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " + " << walk);
    Walk(seed + walk).run(400);
    if (testing::Test::HasFailure()) return;
  }
}

// Whatever happened on the way: when all is flushed, no dirty byte is booked on the target.
TEST(ChunkFileModel, TheAccountOfDirtyBytesEndsAtZero) {
  const uint32_t seed = std::random_device{}();
  testing::Test::RecordProperty("seed", std::to_string(seed));
  for (uint32_t number = 0; number < 12; ++number) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " + " << number);
    Walk walk(seed + number);
    walk.run(100);
    ASSERT_EQ(walk.booked_dirty_bytes(), 0u);
  }
}

}  // namespace
}  // namespace forebay::storage
