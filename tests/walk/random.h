// The walk's own random numbers: the same sequence on every machine and library, and small enough to be saved.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace forebay::walk {

constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// xoshiro256**
class Random {
 public:
  using State = std::array<uint64_t, 4>;

  explicit Random(uint64_t seed) {
    for (auto& word : state_) word = seed = mix(seed);
  }
  explicit Random(const State& state) : state_(state) {}

  const State& state() const { return state_; }

  uint64_t next() {
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // A number in [0, bound); 0 if the bound is.
  int64_t below(int64_t bound) { return bound <= 0 ? 0 : static_cast<int64_t>(next() % static_cast<uint64_t>(bound)); }
  bool percent(int probability) { return below(100) < probability; }
  bool per_mille(int probability) { return below(1000) < probability; }

  template <typename Container>
  const auto& pick(const Container& choices) {
    return *(std::begin(choices) + below(static_cast<int64_t>(std::size(choices))));
  }

 private:
  static uint64_t rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

  State state_{};
};

}  // namespace forebay::walk
