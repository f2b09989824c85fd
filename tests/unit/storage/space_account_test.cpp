#include "storage/space_account.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "core/io.h"
#include "core/unique_fd.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/storage/reboot.h"

namespace forebay::storage {
namespace {

using test::TempDir;

class SpaceAccountTest : public testing::Test {
 protected:
  void SetUp() override { reopen(); }
  // A new process.
  void reopen(uint64_t capacity = 1'000'000) {
    account_ = std::make_unique<SpaceAccount>();
    const Status opened = account_->open(dir_.path(), capacity);
    ASSERT_TRUE(opened) << opened.error().message();
  }
  void reboot() {
    account_.reset();
    pretend_reboot(dir_.path());
  }

  TempDir dir_;
  std::unique_ptr<SpaceAccount> account_;
};

TEST_F(SpaceAccountTest, IsEmptyAtFirst) {
  EXPECT_EQ(account_->used(), 0u);
  EXPECT_EQ(account_->dirty(), 0u);
  EXPECT_EQ(account_->capacity(), 1'000'000u);
  EXPECT_FALSE(account_->after_power_cut());
}

TEST_F(SpaceAccountTest, ReservationsFitTheCapacityExactly) {
  EXPECT_TRUE(account_->reserve(600'000));
  EXPECT_FALSE(account_->reserve(400'001));
  EXPECT_TRUE(account_->reserve(400'000)) << "the refused one left nothing behind";
  EXPECT_FALSE(account_->reserve(1));
  account_->release(1);
  EXPECT_TRUE(account_->reserve(1));
}

TEST_F(SpaceAccountTest, WhatIsUsedCannotBeReserved) {
  account_->add_used(999'999);
  EXPECT_FALSE(account_->reserve(2));
  EXPECT_TRUE(account_->reserve(1));
}

TEST_F(SpaceAccountTest, AReservationGivesItsBytesBackOnce) {
  ASSERT_TRUE(account_->reserve(1'000'000));
  {
    Reservation first(*account_, 1'000'000);
    const Reservation second(std::move(first));
    EXPECT_FALSE(account_->reserve(1));
  }
  EXPECT_TRUE(account_->reserve(1'000'000));
  EXPECT_FALSE(account_->reserve(1));
}

TEST_F(SpaceAccountTest, ThreadsNeverReserveMoreThanThereIs) {
  std::atomic<uint64_t> held{0}, worst{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5000; ++round) {
        if (!account_->reserve(300'000)) continue;
        const uint64_t now = held += 300'000;
        for (uint64_t seen = worst; now > seen && !worst.compare_exchange_weak(seen, now);) {
        }
        held -= 300'000;
        account_->release(300'000);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(worst, 0u);
  EXPECT_LE(worst, 1'000'000u);
  EXPECT_TRUE(account_->reserve(1'000'000)) << "all was given back";
}

TEST_F(SpaceAccountTest, SumsSurviveTheProcess) {
  account_->add_used(5000);
  account_->add_used(-1000);
  account_->add_dirty(300);
  ASSERT_TRUE(account_->reserve(10'000));
  reopen();
  EXPECT_EQ(account_->used(), 4000u);
  EXPECT_EQ(account_->dirty(), 300u);
  EXPECT_FALSE(account_->after_power_cut());
  EXPECT_TRUE(account_->reserve(996'000)) << "reservations die with their process";
}

TEST_F(SpaceAccountTest, ASumBelowZeroReadsAsZero) {
  account_->add_used(-5);
  account_->add_dirty(-7);
  EXPECT_EQ(account_->used(), 0u);
  EXPECT_EQ(account_->dirty(), 0u);
}

TEST_F(SpaceAccountTest, ARebootWithoutACleanEndIsAPowerCut) {
  account_->add_used(4096);
  reboot();
  reopen();
  EXPECT_TRUE(account_->after_power_cut());
  account_->set_used(8192, 100);
  EXPECT_EQ(account_->used(), 8192u);
  EXPECT_EQ(account_->dirty(), 100u);
}

TEST_F(SpaceAccountTest, ARebootAfterACleanEndIsNone) {
  account_->add_used(4096);
  account_->mark_clean();
  reboot();
  reopen();
  EXPECT_FALSE(account_->after_power_cut());
  EXPECT_EQ(account_->used(), 4096u);
}

TEST_F(SpaceAccountTest, ACleanEndCountsOnlyOnce) {
  account_->mark_clean();
  reboot();
  reopen();
  reboot();
  reopen();
  EXPECT_TRUE(account_->after_power_cut()) << "it was open again, and not ended";
}

TEST_F(SpaceAccountTest, AFileOfAnotherKindIsBegunAnew) {
  account_.reset();
  test::write_file(dir_ / "space", "something else");
  reopen();
  EXPECT_EQ(account_->used(), 0u);
  EXPECT_FALSE(account_->after_power_cut());
}

TEST_F(SpaceAccountTest, CapacityIsNeverMoreThanTheDiskHas) {
  reopen(UINT64_MAX / 2);
  EXPECT_LT(account_->capacity(), UINT64_MAX / 2);
  account_->distrust_capacity();
  EXPECT_GT(account_->capacity(), 0u);
}

TEST_F(SpaceAccountTest, ADirectoryThatIsMissingIsReported) {
  SpaceAccount other;
  const Status opened = other.open(dir_ / "missing", 1);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ENOENT);
  EXPECT_NE(opened.error().context.find("missing/space"), std::string::npos);
}

}  // namespace
}  // namespace forebay::storage
