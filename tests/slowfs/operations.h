// slowfs's file system calls.
#pragma once

#include <fuse.h>

namespace forebay::slowfs {

// The table for libfuse, over the directory that `backing_fd` is open on. Once per process.
fuse_operations operations(int backing_fd);

}  // namespace forebay::slowfs
