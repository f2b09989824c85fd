// What the fuzzer of requests is fed with: a sequence of requests, from several peers.
//
//   sequence := request...
//   request  := service u8, method u8, peer u8, room u8, body u16, bulk u16, body bytes, bulk bytes   (little endian)
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace forebay::fuzz {

enum class ServiceKind : uint8_t { kMeta, kStorage, kMgmt, kMetaPeer };
constexpr uint8_t kServices = 4;

struct Request {
  uint8_t service = 0, method = 0, peer = 0, room = 0;
  std::string body, bulk;

  // Any number means one.
  ServiceKind kind() const { return static_cast<ServiceKind>(service % kServices); }
  const google::protobuf::MethodDescriptor* descriptor() const;
};

constexpr size_t kMostRequests = 64;

// What of `bytes` makes sense, up to kMostRequests.
std::vector<Request> parse_sequence(std::span<const uint8_t> bytes);
std::string to_bytes(const std::vector<Request>& sequence);

}  // namespace forebay::fuzz
