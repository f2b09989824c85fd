#include "cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr uint64_t kMiB = 1 << 20;

class ProgressTest : public testing::Test {
 protected:
  Progress::Place place(bool terminal, unsigned columns = 80) {
    return {.terminal = terminal,
            .columns = columns,
            .write = [this](const std::string& text) { written_.push_back(text); },
            .now = [this] { return now_; }};
  }

  Progress::Clock::time_point now_ = Progress::Clock::now();
  std::vector<std::string> written_;
};

TEST_F(ProgressTest, ATerminalGetsABar) {
  Progress progress("flush", place(true, 86));
  now_ += 1s;
  progress.update(25 * kMiB, 100 * kMiB, 3);
  ASSERT_THAT(written_, SizeIs(1));
  EXPECT_EQ(written_[0],
            "\rflush [####------------]  25%  25.0 MiB of 100.0 MiB, 3 files left  26.2 MB/s  ETA 3s\x1b[K");
}

TEST_F(ProgressTest, ABarIsDrawnAtMostTenTimesASecond) {
  Progress progress("flush", place(true));
  for (int i = 0; i < 1000; ++i) {
    now_ += 1ms;
    progress.update(static_cast<uint64_t>(i), 1000, 1);
  }
  EXPECT_THAT(written_, SizeIs(10));
}

TEST_F(ProgressTest, TheBarIsTakenAwayAtTheEnd) {
  {
    Progress progress("flush", place(true));
    now_ += 1s;
    progress.update(1, 2, 1);
  }
  ASSERT_THAT(written_, SizeIs(2));
  EXPECT_EQ(written_[1], "\r\x1b[K");
}

TEST_F(ProgressTest, NothingIsDrawnForWhatIsDoneAtOnce) {
  {
    Progress progress("flush", place(true));
    progress.update(0, 2, 1);
    now_ += 50ms;
    progress.update(2, 2, 0);
  }
  EXPECT_THAT(written_, IsEmpty());
}

TEST_F(ProgressTest, NeverIsWiderThanTheTerminal) {
  for (unsigned columns = 1; columns < 120; ++columns) {
    written_.clear();
    Progress progress("prefetch", place(true, columns));
    now_ += 1s;
    progress.update(kMiB, 1000 * kMiB, 12345);
    ASSERT_THAT(written_, SizeIs(1));
    const size_t extra = std::string("\r\x1b[K").size();
    EXPECT_LT(written_[0].size() - extra, columns);
  }
}

TEST_F(ProgressTest, ElsewhereThereIsALineEveryFiveSeconds) {
  {
    Progress progress("flush", place(false));
    for (int second = 1; second <= 12; ++second) {
      now_ += 1s;
      progress.update(static_cast<uint64_t>(second) * kMiB, 20 * kMiB, 1);
    }
  }
  EXPECT_THAT(written_, ElementsAre("forebay: flush: 25%, 5.0 MiB of 20.0 MiB, 1 file left, 1.0 MB/s, ETA 15s\n",
                                    "forebay: flush: 50%, 10.0 MiB of 20.0 MiB, 1 file left, 1.0 MB/s, ETA 10s\n"));
}

TEST_F(ProgressTest, ElsewhereThereIsNoLineForWhatTakesLess) {
  {
    Progress progress("flush", place(false));
    now_ += 4900ms;
    progress.update(1, 2, 1);
  }
  EXPECT_THAT(written_, IsEmpty());
}

TEST_F(ProgressTest, TheRateFollowsTheLastSeconds) {
  Progress progress("flush", place(true));
  uint64_t done = 0;
  for (int i = 0; i < 100; ++i) {
    now_ += 100ms;
    done += 10 * kMiB;
    progress.update(done, 100'000 * kMiB, 1);
  }
  EXPECT_THAT(written_.back(), HasSubstr("104.9 MB/s"));
  for (int i = 0; i < 300; ++i) {
    now_ += 100ms;
    progress.update(done, 100'000 * kMiB, 1);
  }
  EXPECT_THAT(written_.back(), HasSubstr(" 0.0 MB/s"));
  EXPECT_THAT(written_.back(), Not(HasSubstr("ETA"))) << "a stalled transfer has no end in sight";
}

TEST_F(ProgressTest, SurvivesOddNumbers) {
  Progress progress("flush", place(true));
  for (const auto& [done, total] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 0}, {5, 0}, {10, 5}, {UINT64_MAX, UINT64_MAX}, {0, UINT64_MAX}, {3, 4}}) {
    now_ += 1s;
    progress.update(done, total, UINT64_MAX);
  }
  EXPECT_THAT(written_, SizeIs(6));
  EXPECT_THAT(written_[0], HasSubstr("100%"));
  EXPECT_THAT(written_[2], HasSubstr("100%"));
}

}  // namespace
}  // namespace forebay::cli
