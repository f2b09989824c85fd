// NameFilter: whether a name may be among those that were added, in 16 KiB however many they are (a Bloom filter). "No"
// is always true. With 8,192 names one "maybe" in 200 is wrong.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <functional>
#include <memory>
#include <string_view>

namespace forebay::meta {

class NameFilter {
 public:
  static constexpr size_t kLongestName = 128;  // longer ones are not added, and must not be asked for

  // False if it may have been there.
  bool add(std::string_view name) {
    bool is_new = false;
    for (const size_t bit : bits_of(name)) {
      is_new = is_new || !(*bits_)[bit];
      bits_->set(bit);
    }
    return is_new;
  }

  bool may_have(std::string_view name) const {
    const auto bits = bits_of(name);
    return std::all_of(bits.begin(), bits.end(), [this](size_t bit) { return (*bits_)[bit]; });
  }

  void add(const NameFilter& other) { *bits_ |= *other.bits_; }

 private:
  static constexpr size_t kBits = size_t{1} << 17, kBitsOfNumber = 17;

  // Whether the case of letters counts is the file system's matter: here it does not.
  static std::array<size_t, 3> bits_of(std::string_view name) {
    std::array<char, kLongestName> folded;
    const size_t length = std::min(name.size(), folded.size());
    std::transform(name.begin(), name.begin() + static_cast<ptrdiff_t>(length), folded.begin(), [](char letter) {
      return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter;
    });
    const size_t hash = std::hash<std::string_view>()({folded.data(), length});
    return {hash % kBits, (hash >> kBitsOfNumber) % kBits, (hash >> 2 * kBitsOfNumber) % kBits};
  }

  std::unique_ptr<std::bitset<kBits>> bits_ = std::make_unique<std::bitset<kBits>>();
};

}  // namespace forebay::meta
