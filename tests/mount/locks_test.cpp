// Locks of a mount on one machine: the kernel keeps them, without asking.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include "tests/support/lock_process.h"
#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

class Locks : public MountTest {
 protected:
  // Before those end who have a file open: their close waits for the mount.
  struct Resumed {
    MountedCache& cache;
    ~Resumed() { cache.resume(); }
  };
  MountedCache cache_;
};

TEST_F(Locks, AreSetWithoutTheProcessOfTheMount) {
  write_file(cache_.outside("file"), "content");
  cache_.mount();
  LockProcess one(cache_.inside("file")), other(cache_.inside("file"));
  cache_.pause();
  const Resumed resumed{cache_};
  constexpr std::chrono::seconds kSoon{20};
  const auto record = [&](LockProcess& process, int command, short type) {
    process.begin_record(command, type, 0, 10);
    return process.result(kSoon);
  };
  const auto flock = [&](LockProcess& process, int operation) {
    process.begin_flock(operation);
    return process.result(kSoon);
  };
  EXPECT_EQ(record(one, F_SETLK, F_WRLCK), 0);
  EXPECT_EQ(record(other, F_SETLK, F_WRLCK), EAGAIN);
  EXPECT_EQ(record(other, F_OFD_SETLK, F_RDLCK), EAGAIN);
  EXPECT_EQ(other.test(F_RDLCK).l_pid, one.pid());
  EXPECT_EQ(flock(one, LOCK_EX), 0);
  EXPECT_EQ(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  other.begin_flock(LOCK_EX);
  other.await_waiting();
  EXPECT_EQ(flock(one, LOCK_UN), 0);
  EXPECT_EQ(other.result(kSoon), 0);
  EXPECT_EQ(record(one, F_SETLK, F_UNLCK), 0);
  EXPECT_EQ(record(other, F_SETLKW, F_WRLCK), 0);
}

}  // namespace
}  // namespace forebay::test
