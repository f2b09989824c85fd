// Whole reads and writes at an offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <string>

#include "core/result.h"

namespace forebay {

// Reads up to `length` bytes; fewer only at the end of the file. Errno of pread(2).
Result<size_t> pread_full(int fd, char* buffer, size_t length, uint64_t offset);

// Writes all bytes. Errno of pwrite(2).
Status pwrite_full(int fd, const char* buffer, size_t length, uint64_t offset);

// The block-based transfer of the paper (4.3, Algorithm 1): moves `length` bytes between `fd` and `buffer` in blocks
// of `block_size`, each at its own offset. Returns the bytes moved; fewer only where a read meets the end of the file.
enum class Direction { kRead, kWrite };
Result<size_t> block_io(int fd, char* buffer, size_t length, uint64_t offset, size_t block_size, Direction direction);

// The rest of a stream, as far as it can be read: a process's file in /proc fails when that ends meanwhile. Iterators
// over a stream's buffer throw then.
std::string read_rest(std::istream& stream);

}  // namespace forebay
