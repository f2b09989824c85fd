// What is written, so that who reads it knows that it is right: each page says whose it is and where it belongs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace forebay::load {

constexpr size_t kPageBytes = 4096;

class Pattern {
 public:
  // Of what the process `writer` writes; another `seed` is another content.
  Pattern(uint64_t seed, uint64_t writer) : base_(mix(seed * kOdd + writer)) {}

  // Once for each buffer: all words, as they are at offset 0.
  void fill(std::span<char> buffer) const;
  // The buffer, which was filled, now is of `offset`, a multiple of kPageBytes: changes a word of each page, which
  // costs little beside the write.
  void stamp(std::span<char> buffer, uint64_t offset) const;
  // Whether the stamps are right; with `all` also every other word. Whole pages.
  bool is_at(std::span<const char> buffer, uint64_t offset, bool all) const;

 private:
  static constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ull;
  static uint64_t mix(uint64_t value);
  uint64_t stamp_of(uint64_t offset) const { return mix(base_ ^ offset); }
  uint64_t word(size_t index) const { return base_ + index * kOdd; }

  const uint64_t base_;
};

}  // namespace forebay::load
