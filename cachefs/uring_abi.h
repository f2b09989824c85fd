// The kernel's interface for FUSE over io_uring (Linux 6.14, include/uapi/linux/fuse.h), for the C library's headers
// that are older than it.
#pragma once

#include <linux/fuse.h>

#include <cstddef>
#include <cstdint>

namespace forebay::cachefs::uring_abi {

// Upper halves of the INIT flags.
constexpr uint32_t kOverIoUring = 1U << (41 - 32);
constexpr uint32_t kInitExt = 1U << 30;  // in the lower half: the upper one is there

enum Command : uint32_t { kRegister = 1, kCommitAndFetch = 2 };

// In the command area of a submission.
struct CommandData {
  uint64_t flags;
  uint64_t commit_id;
  uint16_t queue;
  uint8_t padding[6];
};

// What kernel and server share for each entry, beside the payload.
struct EntryHeader {
  char in_out[128];     // fuse_in_header, or fuse_out_header
  char operation[128];  // the operation's own header, if it has one
  uint64_t flags;
  uint64_t commit_id;
  uint32_t payload_bytes;
  uint32_t padding;
  uint64_t reserved;
};
static_assert(sizeof(EntryHeader) == 288 && offsetof(EntryHeader, commit_id) == 264);

}  // namespace forebay::cachefs::uring_abi
