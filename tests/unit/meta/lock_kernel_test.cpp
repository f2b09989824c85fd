// The table of locks against the kernel's own: the same random requests, of open file descriptions and of processes,
// must have the same outcome, and leave the same locks.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "core/unique_fd.h"
#include "meta/lock_table.h"
#include "tests/support/lock_process.h"
#include "tests/support/temp_dir.h"

namespace forebay::meta {
namespace {

constexpr uint64_t kLockedBytes = 48;  // locks begin below
constexpr size_t kLockOwners = 4;

struct RandomLock {
  short type = F_UNLCK;
  uint64_t begin = 0, bytes = 0;  // 0: to the end

  struct flock for_kernel() const {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(begin);
    lock.l_len = static_cast<off_t>(bytes);
    return lock;
  }
  LockRequest for_table(size_t owner) const {
    LockRequest request;
    request.id = 1;
    request.owner = {1, owner};
    request.begin = begin;
    request.end = bytes == 0 ? kLockToTheEnd : begin + bytes;
    request.exclusive = type == F_WRLCK;
    return request;
  }
};

class LockAgainstKernel : public testing::Test {
 protected:
  LockAgainstKernel() {
    seed_ = std::random_device()();
    const char* const given = std::getenv("FOREBAY_SEED");
    if (given != nullptr) seed_ = static_cast<unsigned>(std::stoul(given));
    random_.seed(seed_);
    std::printf("seed %u (FOREBAY_SEED)\n", seed_);
  }

  uint64_t below(uint64_t bound) { return random_() % bound; }
  RandomLock random_lock() {
    constexpr short kTypes[] = {F_RDLCK, F_WRLCK, F_UNLCK};
    return {kTypes[below(3)], below(kLockedBytes), below(8) == 0 ? 0 : 1 + below(kLockedBytes / 3)};
  }
  int by_table(size_t owner, const RandomLock& lock) {
    const LockRequest request = lock.for_table(owner);
    if (lock.type == F_UNLCK) return table_.unlock(request) ? 0 : -1;
    const Result<bool> set = table_.lock(request, false);
    return set ? 0 : set.error().code;
  }
  // The kernel tells any of the locks in the way; it must be one of the table's, to the byte.
  void expect_same_locks(int watcher) {
    const std::vector<LockRanges::Range> known = table_.locks_of(1, LockSpace::kRecord);
    for (uint64_t byte = 0; byte < kLockedBytes + kLockedBytes / 2; ++byte) {
      struct flock lock = RandomLock{F_WRLCK, byte, 1}.for_kernel();
      ASSERT_EQ(::fcntl(watcher, F_OFD_GETLK, &lock), 0);
      const bool any = std::any_of(known.begin(), known.end(), [&](const LockRanges::Range& range) {
        return range.begin <= byte && byte < range.end;
      });
      ASSERT_EQ(lock.l_type != F_UNLCK, any) << "byte " << byte << ", seed " << seed_;
      if (!any) continue;
      const auto begin = static_cast<uint64_t>(lock.l_start);
      const uint64_t end = lock.l_len == 0 ? kLockToTheEnd : begin + static_cast<uint64_t>(lock.l_len);
      const bool same = std::any_of(known.begin(), known.end(), [&](const LockRanges::Range& range) {
        return range.begin == begin && range.end == end && range.exclusive == (lock.l_type == F_WRLCK);
      });
      ASSERT_TRUE(same) << "byte " << byte << ": the kernel has " << begin << " to " << end << ", seed " << seed_;
    }
  }
  UniqueFd open() { return UniqueFd(::open((dir_ / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)); }

  test::TempDir dir_;
  unsigned seed_ = 0;
  std::mt19937_64 random_;
  LockTable table_;
};

TEST_F(LockAgainstKernel, OpenFileDescriptionsAgree) {
  constexpr int kSteps = 20'000;
  std::vector<UniqueFd> owners;
  for (size_t i = 0; i < kLockOwners; ++i) owners.push_back(open());
  const UniqueFd watcher = open();
  for (int step = 0; step < kSteps; ++step) {
    const size_t owner = below(kLockOwners);
    if (below(100) == 0) {  // the last close
      owners[owner] = open();
      by_table(owner, {F_UNLCK, 0, 0});
    }
    const RandomLock lock = random_lock();
    struct flock asked = lock.for_kernel();
    const int by_kernel = ::fcntl(owners[owner].get(), F_OFD_SETLK, &asked) == 0 ? 0 : errno;
    ASSERT_EQ(by_table(owner, lock), by_kernel) << "step " << step << ", seed " << seed_;
    if (lock.type != F_UNLCK) {
      struct flock tested = lock.for_kernel();
      ASSERT_EQ(::fcntl(owners[owner].get(), F_OFD_GETLK, &tested), 0);
      ASSERT_EQ(table_.test(lock.for_table(owner)).has_value(), tested.l_type != F_UNLCK);
    }
    if (step % 10 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_same_locks(watcher.get())) << "step " << step;
  }
}

TEST_F(LockAgainstKernel, ProcessesAgree) {
  constexpr int kSteps = 4'000;
  const UniqueFd watcher = open();
  std::vector<std::unique_ptr<test::LockProcess>> owners;
  for (size_t i = 0; i < kLockOwners; ++i) owners.push_back(std::make_unique<test::LockProcess>(dir_ / "file"));
  for (int step = 0; step < kSteps; ++step) {
    const size_t owner = below(kLockOwners);
    if (below(200) == 0) {  // it ends
      owners[owner] = nullptr;
      owners[owner] = std::make_unique<test::LockProcess>(dir_ / "file");
      by_table(owner, {F_UNLCK, 0, 0});
    }
    const RandomLock lock = random_lock();
    const int by_kernel =
        owners[owner]->record(F_SETLK, lock.type, static_cast<off_t>(lock.begin), static_cast<off_t>(lock.bytes));
    ASSERT_EQ(by_table(owner, lock), by_kernel) << "step " << step << ", seed " << seed_;
    if (step % 10 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_same_locks(watcher.get())) << "step " << step;
  }
}

}  // namespace
}  // namespace forebay::meta
