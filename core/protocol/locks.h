// Locks between clients: what flock(2) and fcntl(2) set, as a client asks a metadata server for them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "core/protocol/types.h"

namespace forebay {

// Locks of two spaces know nothing of each other. The numbers are those of the wire.
enum class LockSpace : uint8_t {
  kRecord = 1,  // fcntl: of ranges; those of a process and those of an open file description alike
  kFlock = 2,   // flock: of whole files
};

// Who a lock is of: a process, or an open file description, of a client.
struct LockOwner {
  uint64_t session = 0;  // the client's; its server knows it from the connection
  uint64_t number = 0;   // unique within the session

  bool operator==(const LockOwner&) const = default;
  bool operator<(const LockOwner& other) const {
    return std::tie(session, number) < std::tie(other.session, other.number);
  }
};

// The end of a lock that reaches as far as any file can.
constexpr uint64_t kLockToTheEnd = uint64_t{1} << 63;

struct LockRequest {
  InodeId id = 0;
  LockSpace space = LockSpace::kRecord;
  LockOwner owner;
  uint64_t begin = 0, end = kLockToTheEnd;  // bytes [begin, end); of a flock lock these
  bool exclusive = false;
  pid_t pid = 0;  // who asks, for those who look for it
};

// A lock that somebody has.
struct HeldLock {
  uint64_t begin = 0, end = kLockToTheEnd;
  bool exclusive = false;
  pid_t pid = 0;  // 0: of another client, where numbers of processes are others

  bool operator==(const HeldLock&) const = default;
};

// What became of a wait.
struct LockAnswer {
  size_t wait = 0;  // which of those that were asked for
  int code = 0;     // 0: the lock is set; EDEADLK; EAGAIN: it has no place in the queue (any more), ask lock() again
};
struct LockNews {
  std::vector<LockAnswer> answers;  // those that are still waited for are left out
  // Another one each time a wait of this client has come to an end there. For the next question, which is answered at
  // once if it is not the same by then: none is missed that ended while nobody asked for it.
  uint64_t ended = 0;
};

}  // namespace forebay
