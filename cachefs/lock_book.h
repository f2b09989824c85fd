// LockBook: which locks programs on this node may have on files of a cluster. The kernel says which owner closes a
// descriptor, and when an open file description ends, but not what locks go with it; most files have none, and their
// server is not asked then.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <vector>

#include "core/protocol/locks.h"

namespace forebay::cachefs {

// Thread safe. `handle`: of an open file description, fuse_file_info::fh.
class LockBook {
 public:
  // About to be asked for.
  void note(const LockRequest& lock, uint64_t handle);

  // `owner` closes a descriptor of the file: with it go all record locks that it has on the file, whichever descriptor
  // they were set through. False: it has none.
  bool closed(InodeId id, uint64_t owner, uint64_t handle);

  // The open file description ends, and with it the locks that are its own, of which one request each comes back. Those
  // of processes were gone before, unless one was set while its descriptor was being closed; then this is its end.
  std::vector<LockRequest> released(InodeId id, uint64_t handle);
  // Those are unlocked.
  void ended(const std::vector<LockRequest>& locks);

  // The kernel tells of the end of an open file description a moment after close(2) has returned. Who finds a lock
  // taken asks here whether that may be one of these; waits for it, for a moment. `before`: ends() of before he tried.
  // False: nothing has changed since.
  bool await_ends(InodeId id, uint64_t before);
  uint64_t ends();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kMoment{100};
  // Inode, owner, space.
  using Key = std::tuple<InodeId, uint64_t, LockSpace>;
  struct Entry {
    std::set<uint64_t> handles;     // that locks were set through
    Clock::time_point closed_at{};  // a descriptor of one of them, last
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, Entry> entries_;
  uint64_t ends_ = 0;
};

}  // namespace forebay::cachefs
