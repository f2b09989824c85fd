#include "pattern.h"

#include <cstring>

namespace forebay::load {
namespace {

constexpr size_t kWordsInPage = kPageBytes / sizeof(uint64_t);

uint64_t load_word(const char* at) {
  uint64_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

void store_word(char* at, uint64_t value) { std::memcpy(at, &value, sizeof(value)); }

}  // namespace

// The finalizer of MurmurHash3: neighbours become unlike each other.
uint64_t Pattern::mix(uint64_t value) {
  value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdull;
  value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return value ^ (value >> 33);
}

void Pattern::fill(std::span<char> buffer) const {
  for (size_t at = 0; at < buffer.size(); at += sizeof(uint64_t)) {
    store_word(buffer.data() + at, word(at / sizeof(uint64_t) % kWordsInPage));
  }
  stamp(buffer, 0);
}

void Pattern::stamp(std::span<char> buffer, uint64_t offset) const {
  for (size_t at = 0; at < buffer.size(); at += kPageBytes) store_word(buffer.data() + at, stamp_of(offset + at));
}

bool Pattern::is_at(std::span<const char> buffer, uint64_t offset, bool all) const {
  for (size_t at = 0; at < buffer.size(); at += kPageBytes) {
    const char* const page = buffer.data() + at;
    if (load_word(page) != stamp_of(offset + at)) return false;
    for (size_t index = 1; all && index < kWordsInPage; ++index) {
      if (load_word(page + index * sizeof(uint64_t)) != word(index)) return false;
    }
  }
  return true;
}

}  // namespace forebay::load
