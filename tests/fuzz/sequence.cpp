#include "tests/fuzz/sequence.h"

#include "core/protocol/wire/meta.pb.h"
#include "core/protocol/wire/meta_peer.pb.h"
#include "core/protocol/wire/mgmt.pb.h"
#include "core/protocol/wire/storage.pb.h"

namespace forebay::fuzz {
namespace {

constexpr size_t kHeadBytes = 8;

size_t u16_at(std::span<const uint8_t> bytes, size_t at) { return bytes[at] | static_cast<size_t>(bytes[at + 1]) << 8; }

void put_u16(std::string& bytes, size_t value) {
  bytes.push_back(static_cast<char>(value & 0xff));
  bytes.push_back(static_cast<char>(value >> 8 & 0xff));
}

}  // namespace

const google::protobuf::MethodDescriptor* Request::descriptor() const {
  const google::protobuf::ServiceDescriptor* const known[kServices] = {
      wire::Meta::descriptor(), wire::Storage::descriptor(), wire::Mgmt::descriptor(), wire::MetaPeer::descriptor()};
  const google::protobuf::ServiceDescriptor* const found = known[service % kServices];
  return found->method(method % found->method_count());
}

std::vector<Request> parse_sequence(std::span<const uint8_t> bytes) {
  std::vector<Request> sequence;
  while (bytes.size() >= kHeadBytes && sequence.size() < kMostRequests) {
    Request& request = sequence.emplace_back();
    request.service = bytes[0];
    request.method = bytes[1];
    request.peer = bytes[2];
    request.room = bytes[3];
    const size_t body = u16_at(bytes, 4), bulk = u16_at(bytes, 6);
    bytes = bytes.subspan(kHeadBytes);
    for (auto [part, size] : {std::pair(&request.body, body), std::pair(&request.bulk, bulk)}) {
      size = std::min(size, bytes.size());
      part->assign(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
      bytes = bytes.subspan(size);
    }
  }
  return sequence;
}

std::string to_bytes(const std::vector<Request>& sequence) {
  std::string bytes;
  for (const Request& request : sequence) {
    const size_t body = std::min<size_t>(request.body.size(), UINT16_MAX);
    const size_t bulk = std::min<size_t>(request.bulk.size(), UINT16_MAX);
    for (const uint8_t byte : {request.service, request.method, request.peer, request.room}) {
      bytes.push_back(static_cast<char>(byte));
    }
    put_u16(bytes, body);
    put_u16(bytes, bulk);
    bytes.append(request.body, 0, body);
    bytes.append(request.bulk, 0, bulk);
  }
  return bytes;
}

}  // namespace forebay::fuzz
