// Call: one request of a stub, as the client sees it: what goes with it besides its message, and what came back.
#pragma once

#include <google/protobuf/service.h>

#include <chrono>
#include <memory>
#include <string>

#include "core/transport/connection.h"

namespace forebay::transport {

// How long a request may take, with all that its server has to wait for. Some move whole files, or wait for room.
constexpr std::chrono::seconds kUsualLimit{60};
constexpr std::chrono::minutes kLongLimit{60};
// For what is asked again soon anyway.
constexpr std::chrono::seconds kShortLimit{3};
// For what people look at, also while a server that is asked asks others in vain for that long.
constexpr std::chrono::seconds kStatusLimit{10};

class Call final : public google::protobuf::RpcController {
 public:
  explicit Call(std::chrono::milliseconds limit = kUsualLimit) : deadline(std::chrono::steady_clock::now() + limit) {}

  const Deadline deadline;
  Bulk bulk;             // goes with the request
  std::span<char> room;  // where the reply's bulk goes

  size_t received = 0;  // bytes of `room` that are filled
  UniqueFd descriptor;  // came with the reply
  Status status;

  bool Failed() const override { return !status; }
  std::string ErrorText() const override { return status ? std::string() : status.error().message(); }
  // Not for clients, or not used: nothing is cancelled.
  void Reset() override {}
  void StartCancel() override {}
  void SetFailed(const std::string& reason) override { status = fail(EIO, "{}", reason); }
  bool IsCanceled() const override { return false; }
  void NotifyOnCancel(google::protobuf::Closure*) override {}

 private:
  friend class Channel;
  // Between begin() and end() of a channel.
  uint32_t method_ = 0;
  uint8_t level_ = 0;
  uint64_t request_ = 0;
  uint32_t processor_ = kNoProcessor;
  std::string body_;
  std::unique_ptr<Connection> connection_;
};

// What a request that the calling thread makes waits for; set by a server's worker while it serves one.
uint8_t request_level();
class LevelScope {
 public:
  explicit LevelScope(uint8_t level);
  ~LevelScope();
  LevelScope(const LevelScope&) = delete;
  LevelScope& operator=(const LevelScope&) = delete;

 private:
  const uint8_t before_;
};

}  // namespace forebay::transport
