// What the kernel says of a program that waits for an answer of ours.
#pragma once

#include <sys/types.h>

namespace forebay::cachefs {

// Whether a signal ended the caller's wait before we had its request. `thread`: of the request's context.
//
// Who is interrupted later is told of by an INTERRUPT. But a request through io_uring that was interrupted before the
// kernel had put it into the ring comes without one, and none follows (Linux 6.18; a read of /dev/fuse looks again).
// The caller waits with its signal pending then, and only for its end.
bool was_interrupted_early(pid_t thread);

}  // namespace forebay::cachefs
