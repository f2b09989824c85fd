// How the commands talk to a mounted cache: through the tree itself. What a file is like is read as an extended
// attribute (user.forebay.*); what shall be done to it is asked by ioctl on an open descriptor of it. So the kernel
// has checked the caller's permission, no socket path has to be known, and a directory stands for all below it.
//
// A request never blocks for long: each call works or waits up to `wait_ms` and says what is left. The command calls
// again until nothing is left, shows progress between, and can be interrupted at any time.
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cstdint>

namespace forebay::cachefs {

enum class ControlAction : uint32_t {
  kFlush = 1,     // file or directory: dirty data goes outside
  kPrefetch = 2,  // file: fetch it whole
  kEvict = 3,     // file or directory: dirty data goes outside, then the copies leave the cache
  kPin = 4,       // file: stays in the cache until unpinned (fetch it with kPrefetch)
  kUnpin = 5,     // file
  kStop = 6,      // the mount's root, by root or the mount's owner: take no new work; used by unmount
};

struct ControlRequest {
  uint32_t action = 0;
  uint32_t wait_ms = 0;          // in: how long this call may take, at most kMaxControlWaitMs
  uint32_t flags = 0;            // in: kControlFirst on the first call of a command: forget earlier failures;
                                 //     kControlDiscard
  uint32_t error = 0;            // out: errno of the last failure, 0 if none
  uint64_t remaining_bytes = 0;  // out: bytes still to move
  uint64_t remaining_files = 0;  // out: 0 when the work is done
  uint64_t failed_files = 0;     // out: files given up in this command; `message` tells about one of them
  uint64_t conflicts = 0;        // out: conflicts that were settled in this command; `message` tells about one of them
  char message[456] = {};        // out: one line, empty if nothing failed
};
static_assert(sizeof(ControlRequest) == 504);

constexpr uint32_t kControlFirst = 1;
// With kStop: what is still dirty when the mount ends is dropped, not flushed (`forebay unmount --discard`). A kStop
// without it takes that back, for an unmount that then found the mount busy.
constexpr uint32_t kControlDiscard = 2;
constexpr uint32_t kMaxControlWaitMs = 1000;
// How a command opens what it asks about: such a handle is for requests alone, and holds no lease on the file's data
// if nobody else uses it. Programs have no reason to open a file with O_ASYNC: there it means nothing.
constexpr int kControlOpenFlags = O_NONBLOCK | O_NOFOLLOW | O_ASYNC;
constexpr unsigned long kControlIoctl = _IOWR('f', 0xfb, ControlRequest);

// Extended attributes. On any file or directory: cached, dirty, pinned ("0"/"1"), size, present_bytes, dirty_bytes,
// mtime0_ns, chunk_size, targets (decimal numbers, "0,1"); and `stat`, all of it as one JSON object.
// On any object of the mount: `status`, the mount's own state as one JSON object. They are not listed by listxattr,
// so that copies made with their attributes do not try to set them.
constexpr char kXattrPrefix[] = "user.forebay.";
constexpr char kXattrStat[] = "user.forebay.stat";
// `layout`: of a file where its chunks are, of a directory what counts for files that are touched first below it: a
// JSON object with `count` and `chunk_size`, each a number or "auto". Set on a directory it counts from then on, and
// removed what is above counts again.
constexpr char kXattrLayout[] = "user.forebay.layout";
// `drain`, set by root: "3" empties target 3 of the cluster, which takes no new files any more; "-3" takes that back.
constexpr char kXattrDrain[] = "user.forebay.drain";
constexpr char kXattrStatus[] = "user.forebay.status";

}  // namespace forebay::cachefs
