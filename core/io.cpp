#include "core/io.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace forebay {

Result<size_t> pread_full(int fd, char* buffer, size_t length, uint64_t offset) {
  size_t total = 0;
  while (total < length) {
    const ssize_t bytes = ::pread(fd, buffer + total, length - total, static_cast<off_t>(offset + total));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return fail_errno();
    if (bytes == 0) break;
    total += static_cast<size_t>(bytes);
  }
  return total;
}

Status pwrite_full(int fd, const char* buffer, size_t length, uint64_t offset) {
  size_t total = 0;
  while (total < length) {
    const ssize_t bytes = ::pwrite(fd, buffer + total, length - total, static_cast<off_t>(offset + total));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return fail_errno();
    if (bytes == 0) return fail(EIO);
    total += static_cast<size_t>(bytes);
  }
  return {};
}

Result<size_t> block_io(int fd, char* buffer, size_t length, uint64_t offset, size_t block_size, Direction direction) {
  size_t total = 0;
  while (total < length) {
    const size_t io_size = std::min(block_size, length - total);
    if (direction == Direction::kWrite) {
      RETURN_IF_ERROR(pwrite_full(fd, buffer + total, io_size, offset + total));
      total += io_size;
      continue;
    }
    ASSIGN_OR_RETURN(const size_t bytes, pread_full(fd, buffer + total, io_size, offset + total));
    total += bytes;
    if (bytes < io_size) break;
  }
  return total;
}

std::string read_rest(std::istream& stream) {
  std::ostringstream text;
  text << stream.rdbuf();
  return std::move(text).str();
}

}  // namespace forebay
