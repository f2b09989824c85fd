// RingEntry: requests of the kernel, one at a time, through an io_uring (FUSE over io_uring).
//
// Each serving thread has an entry, and each entry an io_uring of its own. One system call gives a reply back and waits
// for the next request. Nothing is shared between threads, so a thread may block in what it does for a request, as one
// that reads /dev/fuse may.
#pragma once

#include <fuse_lowlevel.h>
#include <liburing.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>

#include "cachefs/uring_abi.h"
#include "core/result.h"

namespace forebay::cachefs {

class RingEntry {
 public:
  // An entry of the queue of one CPU, for requests and replies of up to `payload_bytes`. Only the thread that made it
  // may use it. `stop` is an eventfd that ends next(). Errors: what io_uring says (EPERM, ENOSYS, ENOMEM).
  static Result<std::unique_ptr<RingEntry>> create(int fuse, int stop, uint16_t queue, size_t payload_bytes);
  ~RingEntry();
  RingEntry(const RingEntry&) = delete;
  RingEntry& operator=(const RingEntry&) = delete;

  // Gives the reply to the last request back, if there was one, and waits. False: the mount is gone, or `stop` was
  // written. Errors: what the kernel says of the entry.
  Result<bool> next();
  // The request, as it would come from /dev/fuse. Valid until reply().
  fuse_buf request();
  uint16_t queue() const { return queue_; }
  // The number of the request that is not answered yet, or 0.
  uint64_t unanswered() const { return unique_; }
  // Whether a message (its fuse_out_header comes first) is the reply to the request.
  bool is_reply(const iovec* parts) const;
  // Takes the reply; next() sends it.
  void reply(const iovec* parts, int count);
  // Where data of the reply may be put in advance, so that it is not copied again.
  std::span<char> payload() { return {payload_, payload_bytes_}; }

 private:
  RingEntry(uint16_t queue, size_t payload_bytes) : queue_(queue), payload_bytes_(payload_bytes) {}
  Status map();
  void prepare(uring_abi::Command command);
  Result<bool> complete(const io_uring_cqe& completion);

  const uint16_t queue_;
  const size_t payload_bytes_;
  io_uring ring_ = {};
  bool has_ring_ = false;
  char* memory_ = nullptr;
  uring_abi::EntryHeader* header_ = nullptr;
  char* payload_ = nullptr;
  iovec parts_[2] = {};
  uring_abi::Command command_ = uring_abi::kRegister;
  uint64_t unique_ = 0;  // of the request that is being served, or 0
  int refusals_ = 0;     // by a kernel that was not ready, one after the other
  bool stopped_ = false;
};

}  // namespace forebay::cachefs
