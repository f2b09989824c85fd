// What a client of a cluster hears of the answers that its kernel keeps: names and attributes, until somebody changes
// them.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/protocol/types.h"

namespace forebay {

// For how long a kernel keeps an answer at most.
constexpr std::chrono::seconds kLongestKept{10};

struct AnswerNews {
  uint64_t number = 0;          // of this news; asking for the next says that this one was heeded
  bool names = false;           // no name that was looked up counts any more, nor that there is none
  std::vector<InodeId> inodes;  // whose attributes do not
};

struct AwaitNews {
  uint64_t heeded = 0;       // number of the last news that was
  bool heeds_names = false;  // the kernel here can be told of names; otherwise it is not to keep any
};

}  // namespace forebay
