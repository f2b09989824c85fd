// A buffer that a thread keeps for its next request: a fresh one costs a page fault for each 4 KiB.
#pragma once

#include <cstdlib>
#include <memory>
#include <span>

namespace forebay {

// At least `bytes` bytes, page aligned; theirs until the thread asks for the next one. Each `Use` has its own, so that
// what a request goes through in different folders does not lie in one place.
template <typename Use>
std::span<char> thread_buffer(size_t bytes) {
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  thread_local std::unique_ptr<char, Free> buffer;
  thread_local size_t capacity = 0;
  if (capacity < bytes) {
    constexpr size_t kPageBytes = 4096;
    capacity = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
    buffer.reset(static_cast<char*>(std::aligned_alloc(kPageBytes, capacity)));
    if (buffer == nullptr) std::abort();
  }
  return {buffer.get(), bytes};
}

}  // namespace forebay
