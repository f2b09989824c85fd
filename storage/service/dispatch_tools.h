// What the methods of StorageDispatch have in common.
#pragma once

#include "core/protocol/wire/convert.h"
#include "core/transport/serving.h"

namespace forebay::storage {

inline transport::Serving& serving_of(google::protobuf::RpcController* controller) {
  return *static_cast<transport::Serving*>(controller);
}

// False: no file reaches so far, and the peer was told so. What it says is added to offsets behind this.
inline bool within_a_file(transport::Serving& serving, uint64_t offset, uint64_t length) {
  constexpr uint64_t kMostFileBytes = INT64_MAX;
  if (offset <= kMostFileBytes && length <= kMostFileBytes - offset) return true;
  serving.fail({EFBIG, fmt::format("{} bytes at {}", length, offset)});
  return false;
}

// The same for the size that a file is said to have outside.
inline bool of_a_file(transport::Serving& serving, const Validator& version) {
  return within_a_file(serving, 0, version.size);
}

// Encodes a reply that has a message of its own, or says why there is none.
template <typename Struct, typename Message>
void reply_with(transport::Serving& serving, const Result<Struct>& result, Message& reply) {
  if (!result) return serving.fail(result.error());
  wire::encode(*result, reply);
}

}  // namespace forebay::storage
