// SpaceAccount: how much of a target is used, and how much of that is dirty.
//
// The two sums live in one shared mapping of the file `space` on the target, so that they survive the death of the
// process without a scan at the next start. After a reboot without a clean end they are counted anew.
//
// Space is reserved before it is used: reserve() succeeds only while used + reserved + bytes fit the capacity, and
// capacity itself shrinks when others fill the file system.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::storage {

class SpaceAccount {
 public:
  SpaceAccount() = default;
  ~SpaceAccount();
  SpaceAccount(const SpaceAccount&) = delete;
  SpaceAccount& operator=(const SpaceAccount&) = delete;

  // `directory` is the target's; `capacity_bytes` what the configuration allows it to use. Errors of the cache file
  // system.
  Status open(const std::string& directory, uint64_t capacity_bytes);

  // Whether the machine went down since the account was last open, without a clean end: what was not synced may be
  // gone.
  bool after_power_cut() const { return after_power_cut_; }
  // What the power cut may have taken was dealt with: the next start need not do it again. Errors of msync(2).
  Status power_cut_handled();
  // Sets the sums, after a count.
  void set_used(uint64_t used_bytes, uint64_t dirty_bytes);
  // From now on (until the next open) a reboot loses nothing: everything was synced.
  void mark_clean();

  // False when the bytes don't fit now. Thread safe.
  bool reserve(uint64_t bytes);
  void release(uint64_t bytes);
  uint64_t reserved() const { return reserved_; }
  // Returns when somebody released something, or at the limit.
  void wait_for_release(std::chrono::milliseconds limit);

  void add_used(int64_t bytes);
  void add_dirty(int64_t bytes);

  uint64_t used() const;
  uint64_t dirty() const;
  // The configured capacity, or less when the file system has less left. Looks at the file system now and then.
  uint64_t capacity();
  // Looks at the file system at the next capacity(): a write just got ENOSPC.
  void distrust_capacity() { looks_left_ = 0; }

 private:
  struct Page;  // the mapping

  Status write_boot();

  std::string directory_;
  UniqueFd file_;
  Page* page_ = nullptr;
  uint64_t configured_ = 0;
  bool after_power_cut_ = false;
  std::atomic<uint64_t> capacity_{0};
  std::atomic<uint64_t> reserved_{0};
  std::atomic<int64_t> looks_left_{0};

  std::mutex release_mutex_;
  std::condition_variable released_;
  std::atomic<int> waiting_{0};
};

// Space held for an operation under way; gives it back at the end of its scope.
class Reservation {
 public:
  Reservation(SpaceAccount& account, uint64_t bytes) : account_(&account), bytes_(bytes) {}
  Reservation(Reservation&& other) noexcept : account_(other.account_), bytes_(other.bytes_) { other.bytes_ = 0; }
  Reservation& operator=(Reservation&&) = delete;
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() {
    if (bytes_ > 0) account_->release(bytes_);
  }

 private:
  SpaceAccount* account_;
  uint64_t bytes_;
};

}  // namespace forebay::storage
