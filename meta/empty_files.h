// EmptyFiles: whether the files that are made in a directory at the moment stay as they are.
//
// A new file is mostly written at once, so it is marked as dirty and lent with the reply that opens it. But some
// programs make thousands that they only close again (locks, markers, placeholders), and then that is most of the work.
// So where one new file after the other was closed empty, the next is taken for one of them. If it is written all the
// same, each write goes through the daemons: that may only happen to who makes a file in the middle of such a row.
//
// Guarded by the directory's mutex.
#pragma once

#include <chrono>
#include <cstdint>

namespace forebay::meta {

class EmptyFiles {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // A file is made: true if it will stay empty, as far as one can say.
  bool expect(SteadyTime now) {
    if (now - made_at_ > kLongestPause) row_ = 0;
    made_at_ = now;
    return row_ >= kEnough;
  }
  // One was closed without a byte, or written.
  void found(bool empty) { row_ = empty ? row_ + 1 : 0; }

 private:
  static constexpr uint64_t kEnough = 16;
  static constexpr std::chrono::milliseconds kLongestPause{100};

  SteadyTime made_at_{};
  uint64_t row_ = 0;  // how many stayed empty, one after the other
};

}  // namespace forebay::meta
