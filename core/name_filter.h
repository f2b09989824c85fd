// NameFilter: whether a name may be among those that were added, in 16 KiB however many they are (a Bloom filter). "No"
// is always true. With 8,192 names one "maybe" in 200 is wrong.
#pragma once

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace forebay {

class NameFilter {
 public:
  static constexpr size_t kLongestName = 128;
  static constexpr size_t kMostNames = 8192;  // of a directory for which there should be one

  // Others may be added, but must not be asked for: what is the same name, or one at all, is the file system's matter
  // there, and what begins with a dot (snapshots, .lustre and their like) is in no listing.
  static bool takes(std::string_view name) {
    constexpr std::string_view kOthers = "._-+=,@%~";
    const auto is_portable = [&](unsigned char letter) {
      return (letter < 0x80 && std::isalnum(letter) != 0) || kOthers.find(static_cast<char>(letter)) != kOthers.npos;
    };
    return !name.empty() && name.size() <= kLongestName && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), is_portable);
  }

  // False if it may have been there.
  bool add(std::string_view name) {
    bool is_new = false;
    for (const size_t bit : bits_of(name)) {
      is_new = is_new || !test(bit);
      (*words_)[bit / kBitsOfWord] |= uint64_t{1} << bit % kBitsOfWord;
    }
    return is_new;
  }

  bool may_have(std::string_view name) const {
    const auto bits = bits_of(name);
    return std::all_of(bits.begin(), bits.end(), [this](size_t bit) { return test(bit); });
  }

  void add(const NameFilter& other) {
    for (size_t i = 0; i < kWords; ++i) (*words_)[i] |= (*other.words_)[i];
  }

  NameFilter() = default;
  NameFilter(NameFilter&&) = default;
  NameFilter& operator=(NameFilter&&) = default;
  NameFilter copy() const {
    NameFilter made;
    *made.words_ = *words_;
    return made;
  }

  // As it travels: the same on each (little endian) machine.
  std::string_view bytes() const { return {reinterpret_cast<const char*>(words_->data()), sizeof(Words)}; }
  // Nothing: it is none.
  static std::optional<NameFilter> of_bytes(std::string_view bytes) {
    if (bytes.size() != sizeof(Words)) return {};
    NameFilter made;
    std::memcpy(made.words_->data(), bytes.data(), bytes.size());
    return made;
  }

 private:
  static constexpr size_t kBits = size_t{1} << 17, kBitsOfNumber = 17;
  static constexpr size_t kBitsOfWord = 64, kWords = kBits / kBitsOfWord;
  using Words = std::array<uint64_t, kWords>;

  bool test(size_t bit) const { return ((*words_)[bit / kBitsOfWord] >> bit % kBitsOfWord & 1) != 0; }

  // Whether the case of letters counts is the file system's matter: here it does not.
  static std::array<size_t, 3> bits_of(std::string_view name) {
    std::array<char, kLongestName> folded;
    const size_t length = std::min(name.size(), folded.size());
    std::transform(name.begin(), name.begin() + static_cast<ptrdiff_t>(length), folded.begin(), [](char letter) {
      return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter;
    });
    const uint64_t hash = XXH3_64bits(folded.data(), length);
    return {hash % kBits, (hash >> kBitsOfNumber) % kBits, (hash >> 2 * kBitsOfNumber) % kBits};
  }

  std::unique_ptr<Words> words_ = std::make_unique<Words>();
};

}  // namespace forebay
