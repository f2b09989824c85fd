// The services that a server can offer, by their number in a frame's method (core/transport/frame.h).
#pragma once

#include <cstdint>

namespace forebay::wire {

// Never used for anything else again.
constexpr uint32_t kMetaServiceNumber = 1;
constexpr uint32_t kStorageServiceNumber = 2;
constexpr uint32_t kManagementServiceNumber = 3;
constexpr uint32_t kMetaPeerServiceNumber = 4;

}  // namespace forebay::wire
