// Frames: how messages lie on the wire (docs/protocol.md).
//
//   frame  := header (48 bytes, little endian), body (protobuf), bulk (raw bytes)
//   header := magic u32, version u16, kind u8, level u8, method u32, code i32, request u64, processor u32,
//             unused u32, body u32, bulk u32, room u32, descriptors u32
//
// `kind` says what it is; `method` is the service's number and the method's index in its .proto; `code` is the errno of
// a reply, 0 for success; `room` is how much bulk the sender of a request takes with the reply; `processor` is where
// its sender waits for that, of use to a server on the same machine; `descriptors` counts those that come with the
// frame over a Unix socket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/processor.h"
#include "core/result.h"

namespace forebay::transport {

constexpr uint32_t kMagic = 0x59414246;  // "FBAY"
// Who speaks TLS begins with this byte, a record's type, and never with the first one of kMagic.
constexpr char kTlsHandshake = 22;
// What this program speaks: from the oldest to the newest. Both ends use the newest that both know.
constexpr uint16_t kOldestVersion = 1, kNewestVersion = 1;

// More is an error of the sender, and ends the connection before anything is allocated for it.
constexpr uint32_t kMostBodyBytes = 4 << 20;
constexpr uint32_t kMostBulkBytes = 16 << 20;
constexpr uint32_t kMostHelloBytes = 4 << 10;

enum class Kind : uint8_t { kHello = 1, kRequest = 2, kReply = 3 };

struct Header {
  uint16_t version = kNewestVersion;
  Kind kind = Kind::kRequest;
  uint8_t level = 0;    // how many requests wait for this one, see channel.h
  uint32_t method = 0;  // method_number()
  int32_t code = 0;
  uint64_t request = 0;  // unique within the client's session, the same when it is sent again
  uint32_t processor = kNoProcessor;
  uint32_t body_bytes = 0, bulk_bytes = 0, room_bytes = 0, descriptors = 0;
};

constexpr size_t kHeaderBytes = 48;
using HeaderBytes = std::array<char, kHeaderBytes>;

HeaderBytes encode(const Header& header);
// EPROTO: not ours (magic), of another version, or larger than the limits above.
Result<Header> decode(std::span<const char, kHeaderBytes> bytes);

constexpr uint32_t method_number(uint32_t service, int index) { return service << 16 | static_cast<uint32_t>(index); }
constexpr uint32_t service_of(uint32_t method) { return method >> 16; }
constexpr int index_of(uint32_t method) { return static_cast<int>(method & 0xffff); }

}  // namespace forebay::transport
