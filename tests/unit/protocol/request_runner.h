// Requests that reach a dispatcher as bytes, without a socket: what a peer sends may be anything.
#pragma once

#include <google/protobuf/service.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "core/io.h"
#include "core/transport/serving.h"

namespace forebay::test {

// One request, all of which is here already.
class MemoryConnection final : public transport::Connection {
 public:
  // `bulk`: what comes with the request, whatever its header says.
  explicit MemoryConnection(std::string_view bulk) : bulk_(bulk) {}

  Status send(transport::Header header, std::string_view body, const transport::Bulk& bulk, int descriptor,
              transport::Deadline) override {
    ++sent;
    header_sent = header;
    body_sent = body;
    has_descriptor = descriptor >= 0;
    bulk_sent.resize(bulk.bytes());
    if (bulk.file < 0) {
      std::copy(bulk.memory.begin(), bulk.memory.end(), bulk_sent.begin());
      return {};
    }
    ASSIGN_OR_RETURN(const size_t bytes, pread_full(bulk.file, bulk_sent.data(), bulk_sent.size(), bulk.file_offset));
    return bytes == bulk_sent.size() ? Status{} : Status(fail(EIO));
  }
  Result<transport::Message> receive(transport::Deadline) override { return fail(ECONNRESET); }
  Status receive_bulk(std::span<char> buffer, transport::Deadline) override {
    if (buffer.size() > bulk_.size()) return fail(ECONNRESET);
    std::copy_n(bulk_.begin(), buffer.size(), buffer.begin());
    bulk_.remove_prefix(buffer.size());
    return {};
  }
  bool passes_descriptors() const override { return true; }
  int poll_descriptor() const override { return -1; }
  void shut_down() override {}
  std::string peer_name() const override { return "a test"; }

  int sent = 0;
  transport::Header header_sent;
  std::string body_sent, bulk_sent;
  bool has_descriptor = false;

 private:
  std::string_view bulk_;
};

struct Answer {
  bool came = false;  // otherwise the connection is broken
  int code = 0;
  std::string body, bulk;
  bool has_descriptor = false;
};

// What a request is, besides its message.
struct Extras {
  std::string_view bulk;
  size_t promised_bytes = 0;  // of bulk; less comes if there is less
  uint32_t room_bytes = 0;
};

// What transport::Server does with a request.
inline Answer ask(google::protobuf::Service& service, int method_index, const transport::Party& peer,
                  std::string_view body, const Extras& extras = {}) {
  const google::protobuf::MethodDescriptor* const method = service.GetDescriptor()->method(method_index);
  transport::Header header;
  header.bulk_bytes = static_cast<uint32_t>(std::max(extras.promised_bytes, extras.bulk.size()));
  header.room_bytes = extras.room_bytes;
  MemoryConnection connection(extras.bulk);
  transport::Serving serving(connection, peer, header);
  const std::unique_ptr<google::protobuf::Message> request(service.GetRequestPrototype(method).New());
  const std::unique_ptr<google::protobuf::Message> reply(service.GetResponsePrototype(method).New());
  if (request->ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    service.CallMethod(method, &serving, request.get(), reply.get(), nullptr);
  } else {
    serving.fail({EPROTO, {}});
  }
  if (!serving.replied()) serving.reply_text(serving.Failed() ? std::string() : reply->SerializeAsString());
  return {connection.sent > 0, connection.header_sent.code, std::move(connection.body_sent),
          std::move(connection.bulk_sent), connection.has_descriptor};
}

inline Answer ask(google::protobuf::Service& service, const std::string& method, const transport::Party& peer,
                  const google::protobuf::Message& request, const Extras& extras = {}) {
  const int index = service.GetDescriptor()->FindMethodByName(method)->index();
  return ask(service, index, peer, request.SerializeAsString(), extras);
}

}  // namespace forebay::test
