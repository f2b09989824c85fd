// Locks of flock(2) and fcntl(2) count on all nodes of a cluster.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/lock_process.h"
#include "tests/support/test_cluster.h"

namespace forebay::test {
namespace {

constexpr std::chrono::seconds kSoon{20};

class LocksAcrossClients : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    cluster_ = std::make_unique<TestCluster>(kNodes);
    write_file(file(1), std::string(8, '\0'));
  }
  std::string file(int node) const { return cluster_->inside(node, "file"); }

  enum class Signals { kNone, kMany };
  void expect_counted(LockProcess::By by, Signals signals = Signals::kNone) {
    constexpr int kOfEachNode = 3, kRounds = 60;
    std::vector<std::unique_ptr<LockProcess>> counters;
    counters.reserve(kNodes * kOfEachNode);
    for (int i = 0; i < kNodes * kOfEachNode; ++i)
      counters.push_back(std::make_unique<LockProcess>(file(1 + i % kNodes)));
    for (const auto& counter : counters) counter->handle_signal(LockProcess::Calls::kGoOn);
    for (const auto& counter : counters) counter->begin_count(by, kRounds);
    const auto counts = [](const auto& counter) { return !counter->is_done(); };
    while (signals == Signals::kMany && std::any_of(counters.begin(), counters.end(), counts)) {
      for (const auto& counter : counters) counter->signal(SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    for (const auto& counter : counters) EXPECT_EQ(counter->result(std::chrono::minutes(5)), 0);
    for (int node = 1; node <= kNodes; ++node) {
      uint64_t value = 0;
      const OpenFile counted(file(node));
      ASSERT_EQ(::pread(counted.fd(), &value, sizeof(value), 0), static_cast<ssize_t>(sizeof(value)));
      EXPECT_EQ(value, static_cast<uint64_t>(kNodes * kOfEachNode * kRounds)) << "node " << node;
    }
  }

  static constexpr int kNodes = 3;
  std::unique_ptr<TestCluster> cluster_;
};

TEST_F(LocksAcrossClients, FlockOfOneNodeHoldsOnTheOthers) {
  const OpenFile here(file(1)), there(file(2));
  ASSERT_EQ(::flock(here.fd(), LOCK_EX), 0);
  EXPECT_EQ(::flock(there.fd(), LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
  EXPECT_EQ(::flock(there.fd(), LOCK_SH | LOCK_NB), -1);
  ASSERT_EQ(::flock(here.fd(), LOCK_SH), 0);
  EXPECT_EQ(::flock(there.fd(), LOCK_SH | LOCK_NB), 0);
  EXPECT_EQ(::flock(here.fd(), LOCK_EX | LOCK_NB), -1);
  ASSERT_EQ(::flock(there.fd(), LOCK_UN), 0);
  EXPECT_EQ(::flock(here.fd(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(LocksAcrossClients, OneWaitsForTheOther) {
  LockProcess here(file(1)), there(file(2)), third(file(3));
  ASSERT_EQ(here.flock(LOCK_EX), 0);
  ASSERT_EQ(here.record(F_SETLK, F_WRLCK, 10, 10), 0);
  there.begin_flock(LOCK_EX);
  third.begin_record(F_SETLKW, F_RDLCK, 15, 1);
  there.await_waiting();
  third.await_waiting();
  EXPECT_FALSE(there.is_done() || third.is_done());
  ASSERT_EQ(here.flock(LOCK_UN), 0);
  EXPECT_EQ(there.result(), 0);
  EXPECT_FALSE(third.is_done());
  ASSERT_EQ(here.record(F_SETLK, F_UNLCK, 12, 5), 0);
  EXPECT_EQ(third.result(), 0);
}

TEST_F(LocksAcrossClients, RangesOfProcessesAndDescriptionsOnSeveralNodesExclude) {
  LockProcess first(file(1)), neighbour(file(1)), second(file(2)), third(file(3));
  ASSERT_EQ(first.record(F_SETLK, F_WRLCK, 0, 100), 0);
  EXPECT_EQ(second.record(F_SETLK, F_WRLCK, 99, 10), EAGAIN);
  EXPECT_EQ(neighbour.record(F_SETLK, F_RDLCK, 0, 1), EAGAIN);
  EXPECT_EQ(second.record(F_SETLK, F_WRLCK, 100, 10), 0);
  ASSERT_EQ(first.record(F_SETLK, F_UNLCK, 40, 20), 0);
  EXPECT_EQ(third.record(F_OFD_SETLK, F_WRLCK, 45, 10), 0);
  EXPECT_EQ(second.record(F_SETLK, F_RDLCK, 50, 1), EAGAIN);
  ASSERT_EQ(first.record(F_SETLK, F_RDLCK, 0, 40), 0);
  EXPECT_EQ(neighbour.record(F_SETLK, F_RDLCK, 0, 40), 0);
  EXPECT_EQ(second.record(F_OFD_SETLK, F_RDLCK, 0, 40), 0);
  EXPECT_EQ(third.record(F_SETLK, F_RDLCK, 60, 1), EAGAIN);
}

TEST_F(LocksAcrossClients, WhoseLockIsInTheWayIsTold) {
  LockProcess first(file(1)), neighbour(file(1)), second(file(2));
  EXPECT_EQ(second.test(F_WRLCK).l_type, F_UNLCK);
  ASSERT_EQ(first.record(F_SETLK, F_RDLCK, 10, 20), 0);
  EXPECT_EQ(second.test(F_RDLCK).l_type, F_UNLCK);
  for (LockProcess* const asking : {&neighbour, &second}) {
    const struct flock found = asking->test(F_WRLCK, 5);
    EXPECT_EQ(found.l_type, F_RDLCK);
    EXPECT_EQ(found.l_start, 10);
    EXPECT_EQ(found.l_len, 20);
    EXPECT_EQ(found.l_pid, asking == &neighbour ? first.pid() : 0) << "numbers of processes are those of a node";
  }
  ASSERT_EQ(first.record(F_SETLK, F_WRLCK, 10), 0);
  EXPECT_EQ(second.test(F_RDLCK, 1000).l_len, 0) << "to the end";
}

TEST_F(LocksAcrossClients, ACloseGivesUpWhatItShould) {
  LockProcess here(file(1)), reader(file(2), O_RDONLY), there(file(3));
  ASSERT_EQ(here.record(F_SETLK, F_WRLCK, 0, 10), 0);
  ASSERT_EQ(here.open_and_close(), 0);
  EXPECT_EQ(there.record(F_SETLK, F_WRLCK, 0, 10), 0) << "of any descriptor of the file takes a process's locks";
  ASSERT_EQ(reader.record(F_SETLK, F_RDLCK, 10, 10), 0);
  EXPECT_EQ(there.record(F_SETLK, F_WRLCK, 10, 10), EAGAIN);
  ASSERT_EQ(reader.close(), 0);
  EXPECT_EQ(there.record(F_SETLK, F_WRLCK, 10, 10), 0) << "also of one that is open for reading";
  ASSERT_EQ(here.record(F_OFD_SETLK, F_WRLCK, 20, 10), 0);
  ASSERT_EQ(here.flock(LOCK_EX), 0);
  ASSERT_EQ(here.open_and_close(), 0);
  EXPECT_EQ(there.record(F_SETLK, F_WRLCK, 20, 10), EAGAIN) << "but those of the open file stay";
  EXPECT_EQ(there.flock(LOCK_SH | LOCK_NB), EWOULDBLOCK);
  there.begin_record(F_SETLKW, F_WRLCK, 20, 10);
  ASSERT_EQ(here.close(), 0);
  EXPECT_EQ(there.result(), 0);
  EXPECT_EQ(there.flock(LOCK_SH), 0);
}

TEST_F(LocksAcrossClients, OnOneNodeALastCloseIsSeenAtOnce) {
  for (int round = 0; round < 50; ++round) {
    {
      const OpenFile first(file(1), O_RDWR);
      ASSERT_EQ(::flock(first.fd(), LOCK_EX | LOCK_NB), 0) << "round " << round;
      struct flock lock = {};
      lock.l_type = F_WRLCK;
      ASSERT_EQ(::fcntl(first.fd(), F_OFD_SETLK, &lock), 0) << "round " << round;
    }
    const OpenFile second(file(1), O_RDWR);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    ASSERT_EQ(::fcntl(second.fd(), F_OFD_GETLK, &lock), 0);
    EXPECT_EQ(lock.l_type, F_UNLCK) << "round " << round;
  }
}

TEST_F(LocksAcrossClients, AProgramThatIsKilledGivesUpItsLocksAndItsWait) {
  LockProcess holder(file(1)), waiter(file(2)), last(file(3));
  ASSERT_EQ(holder.record(F_SETLK, F_WRLCK), 0);
  ASSERT_EQ(holder.flock(LOCK_EX), 0);
  waiter.begin_record(F_SETLKW, F_WRLCK);
  waiter.await_waiting();
  waiter.kill();
  last.begin_record(F_SETLKW, F_WRLCK);
  last.await_waiting();
  holder.kill();
  EXPECT_EQ(last.result(), 0);
  EXPECT_EQ(last.flock(LOCK_EX), 0);
}

TEST_F(LocksAcrossClients, ASignalEndsAWaitAndLeavesNothingBehind) {
  LockProcess holder(file(1)), waiter(file(2)), other(file(3));
  ASSERT_EQ(holder.record(F_SETLK, F_WRLCK), 0);
  ASSERT_EQ(holder.flock(LOCK_EX), 0);
  waiter.handle_signal(LockProcess::Calls::kAreInterrupted);
  for (int round = 0; round < 20; ++round) {
    waiter.begin_flock(LOCK_EX);
    waiter.await_waiting();
    waiter.signal(SIGUSR1);
    EXPECT_EQ(waiter.result(kSoon), EINTR);
    waiter.begin_record(F_SETLKW, F_WRLCK);
    waiter.await_waiting();
    waiter.signal(SIGUSR1);
    EXPECT_EQ(waiter.result(kSoon), EINTR);
  }
  ASSERT_EQ(holder.flock(LOCK_UN), 0);
  ASSERT_EQ(holder.record(F_SETLK, F_UNLCK), 0);
  EXPECT_EQ(other.flock(LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(other.record(F_SETLK, F_WRLCK), 0);
}

TEST_F(LocksAcrossClients, ASignalThatRestartsCallsLetsThemWaitOn) {
  LockProcess holder(file(1)), waiter(file(2));
  ASSERT_EQ(holder.flock(LOCK_EX), 0);
  waiter.handle_signal(LockProcess::Calls::kGoOn);
  waiter.begin_flock(LOCK_EX);
  for (int round = 0; round < 5; ++round) {
    waiter.await_waiting();
    waiter.signal(SIGUSR1);
  }
  waiter.await_waiting();
  EXPECT_FALSE(waiter.is_done());
  ASSERT_EQ(holder.flock(LOCK_UN), 0);
  EXPECT_EQ(waiter.result(), 0);
}

TEST_F(LocksAcrossClients, TwoNodesThatWaitForEachOtherAreADeadlock) {
  LockProcess one(file(1)), other(file(2));
  ASSERT_EQ(one.record(F_SETLK, F_WRLCK, 0, 1), 0);
  ASSERT_EQ(other.record(F_SETLK, F_WRLCK, 1, 1), 0);
  one.begin_record(F_SETLKW, F_WRLCK, 1, 1);
  one.await_waiting();
  other.begin_record(F_SETLKW, F_WRLCK, 0, 1);
  // Whose request the server has seen last.
  while (!one.is_done() && !other.is_done()) std::this_thread::yield();
  LockProcess& refused = one.is_done() ? one : other;
  LockProcess& waits = one.is_done() ? other : one;
  EXPECT_EQ(refused.result(), EDEADLK);
  EXPECT_FALSE(waits.is_done());
  ASSERT_EQ(refused.record(F_SETLK, F_UNLCK), 0);
  EXPECT_EQ(waits.result(), 0);
}

TEST_F(LocksAcrossClients, ACounterUnderFlockLosesNothing) { expect_counted(LockProcess::By::kFlock); }

TEST_F(LocksAcrossClients, ACounterUnderARecordLockLosesNothing) { expect_counted(LockProcess::By::kRecord); }

// The lock may come at the moment in which its wait is taken back.
TEST_F(LocksAcrossClients, CountersThatSignalsInterruptLoseNothing) {
  expect_counted(LockProcess::By::kFlock, Signals::kMany);
  write_file(file(1), std::string(8, '\0'));
  expect_counted(LockProcess::By::kRecord, Signals::kMany);
}

TEST_F(LocksAcrossClients, MoreWaitThanThereAreThreads) {
  constexpr int kWaiters = 100;  // fuse.threads is 32
  LockProcess holder(file(1));
  ASSERT_EQ(holder.flock(LOCK_EX), 0);
  std::vector<std::unique_ptr<LockProcess>> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.push_back(std::make_unique<LockProcess>(file(1 + i % 2)));
    waiters.back()->begin_flock(LOCK_SH);
  }
  for (const auto& waiter : waiters) waiter->await_waiting();
  EXPECT_EQ(read_file(file(1)).size(), 8u) << "the mounts go on serving";
  EXPECT_EQ(read_file(file(2)).size(), 8u);
  ASSERT_EQ(holder.flock(LOCK_UN), 0);
  for (const auto& waiter : waiters) EXPECT_EQ(waiter->result(), 0);
}

class LocksAndARestart : public LocksAcrossClients, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(By, LocksAndARestart, testing::Values(SIGKILL, SIGTERM),
                         [](const auto& tested) { return tested.param == SIGKILL ? "Kill" : "Order"; });

TEST_P(LocksAndARestart, OfTheirServerAreHeldAndWaitedForAsBefore) {
  LockProcess holder(file(1)), waiter(file(2)), other(file(3));
  ASSERT_EQ(holder.record(F_SETLK, F_WRLCK, 10, 10), 0);
  ASSERT_EQ(holder.record(F_SETLK, F_UNLCK, 15, 1), 0);
  ASSERT_EQ(holder.flock(LOCK_EX), 0);
  waiter.begin_flock(LOCK_EX);
  waiter.await_waiting();
  cluster_->run({"flush", cluster_->mountpoint(1)});  // the file itself is known after a restart
  cluster_->kill_daemon(1, "metad", GetParam());
  cluster_->start_again();
  EXPECT_EQ(other.flock(LOCK_SH | LOCK_NB), EWOULDBLOCK);
  EXPECT_EQ(other.record(F_SETLK, F_RDLCK, 16, 100), EAGAIN);
  EXPECT_EQ(other.record(F_SETLK, F_WRLCK, 15, 1), 0);
  EXPECT_FALSE(waiter.is_done());
  ASSERT_EQ(holder.flock(LOCK_UN), 0);
  EXPECT_EQ(waiter.result(kSoon), 0);
  ASSERT_EQ(holder.record(F_SETLK, F_UNLCK), 0);
  EXPECT_EQ(other.record(F_SETLK, F_WRLCK), 0);
}

TEST_F(LocksAcrossClients, AClientThatIsKilledGivesUpItsLocks) {
  LockProcess holder(file(1)), waiter(file(2));
  ASSERT_EQ(holder.flock(LOCK_EX), 0);
  ASSERT_EQ(holder.record(F_SETLK, F_WRLCK), 0);
  waiter.begin_flock(LOCK_EX);
  waiter.await_waiting();
  cluster_->kill_client(1);
  EXPECT_EQ(waiter.result(kSoon), 0);
  EXPECT_EQ(waiter.record(F_SETLKW, F_WRLCK), 0);
}

}  // namespace
}  // namespace forebay::test
