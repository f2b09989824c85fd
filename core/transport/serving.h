// Serving: one request, as its server sees it: from whom it is, what came with it besides its message, and the reply.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/service.h>

#include <memory>
#include <string>

#include "core/transport/connection.h"
#include "core/transport/handshake.h"
#include "core/transport/parked_reply.h"

namespace forebay::transport {

// From its first byte until all of a message is through.
constexpr std::chrono::seconds kTransferLimit{60};

class Serving final : public google::protobuf::RpcController {
 public:
  Serving(Connection& connection, const Party& peer, const Header& request)
      : connection_(connection), peer_(peer), request_(request) {}

  const Party& peer() const { return peer_; }
  bool passes_descriptors() const { return connection_.passes_descriptors(); }
  // How much bulk the client takes with the reply.
  size_t room() const { return request_.room_bytes; }
  // How much came with the request.
  size_t bulk_bytes() const { return request_.bulk_bytes; }
  // Fetches it; once. It stays until the request is through.
  Result<std::span<const char>> take_bulk();
  // Space for bulk that is made here; stays until the request is through.
  std::span<char> space(size_t bytes);

  // What the reply will be, besides the message.
  void fail(Error error) {
    error_ = std::move(error);
    if (error_.context.size() > kMostErrorBytes) error_.context.resize(kMostErrorBytes);
  }
  void take(const Status& status) {
    if (!status) fail(status.error());
  }
  void set_bulk(const Bulk& bulk) { bulk_ = bulk; }
  void pass(UniqueFd descriptor) { descriptor_ = std::move(descriptor); }

  // Sends the reply now rather than when the handler returns: what it is made of goes away before that.
  void reply(const google::protobuf::Message& message) { reply_text(message.SerializeAsString()); }
  void reply_text(const std::string& body);
  bool replied() const { return replied_; }
  // The reply comes later. Only for methods that may be repeated: nothing keeps it for a client that asks again.
  std::shared_ptr<ParkedReply> park() {
    parked_ = std::make_shared<ParkedReply>();
    return parked_;
  }
  // Null: it is replied to when the handler returns.
  std::shared_ptr<ParkedReply> parked() const { return Failed() ? nullptr : parked_; }
  const Header& request() const { return request_; }
  const Error& error() const { return error_; }
  // The connection is of no more use.
  bool broken() const { return broken_; }
  // Takes bulk that the handler did not want.
  void drain();

  bool Failed() const override { return error_.code != 0; }
  std::string ErrorText() const override { return error_.context; }
  void Reset() override {}
  void StartCancel() override {}
  void SetFailed(const std::string& reason) override { error_ = {EIO, reason}; }
  bool IsCanceled() const override { return false; }
  void NotifyOnCancel(google::protobuf::Closure*) override {}

 private:
  // Of a line of text: it may quote what the client said, is kept by the ReplyCache, and must fit a frame.
  static constexpr size_t kMostErrorBytes = 4 << 10;
  // For the client to send what it has promised, or to take what it has asked for.
  static Deadline deadline() { return std::chrono::steady_clock::now() + kTransferLimit; }

  Connection& connection_;
  const Party& peer_;
  const Header request_;
  Error error_{0, {}};
  Bulk bulk_;
  UniqueFd descriptor_;
  std::shared_ptr<ParkedReply> parked_;
  bool taken_ = false, replied_ = false, broken_ = false;
};

}  // namespace forebay::transport
