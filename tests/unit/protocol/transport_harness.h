// A server with a small service of its own, for tests of what lies below the services.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>

#include "core/protocol/wire/services.h"
#include "core/protocol/wire/storage.pb.h"
#include "core/transport/channel.h"
#include "core/transport/server.h"
#include "core/transport/serving.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace forebay::transport {

// Says what it is told, through the messages of the storage service.
class Echo final : public wire::Storage {
 public:
  using Controller = google::protobuf::RpcController;
  using Closure = google::protobuf::Closure;

  std::function<void(uint64_t)> on_stat = [](uint64_t) {};
  std::function<void()> on_read = [] {};
  std::string memory;   // what Read sends of inode 1
  int file = -1;        // what it sends of others
  std::string written;  // what Write got last
  std::atomic<int> writes{0}, closed{0};
  std::function<void()> on_close = [] {};

  void StatFile(Controller*, const wire::FileRequest* request, wire::ChunkState* reply, Closure*) override {
    on_stat(request->id());
    reply->set_size(request->id());
    reply->set_blocks(request_level());
  }
  void Seek(Controller* controller, const wire::SeekRequest*, wire::SeekReply*, Closure*) override {
    serving(controller).fail({ENXIO, "target 7: is not here"});
  }
  void Write(Controller* controller, const wire::WriteRequest* request, wire::Done*, Closure*) override {
    if (request->id() == 0) return serving(controller).fail({EROFS, {}});
    const auto data = serving(controller).take_bulk();
    if (!data) return serving(controller).fail(data.error());
    written.assign(data->data(), data->size());
    ++writes;
  }
  void Read(Controller* controller, const wire::ReadRequest* request, wire::ReadReply*, Closure*) override {
    on_read();
    Bulk bulk;
    if (request->id() == 1) {
      bulk.memory = std::span<const char>(memory).first(std::min(memory.size(), serving(controller).room()));
    } else {
      bulk.file = file;
      bulk.file_offset = request->offset();
      bulk.file_bytes = request->bytes();
    }
    serving(controller).set_bulk(bulk);
  }
  void Lease(Controller* controller, const wire::LeaseRequest*, wire::Done*, Closure*) override {
    serving(controller).pass(UniqueFd(::dup(file)));
  }
  // Answered by whoever has `parked`.
  void SpaceOf(Controller* controller, const wire::TargetRequest*, wire::SpaceReport*, Closure*) override {
    parked.set_value(serving(controller).park());
  }
  std::promise<std::shared_ptr<ParkedReply>> parked;
  void CloseFiles(Controller*, const wire::FilesRequest*, wire::Done*, Closure*) override {
    on_close();
    ++closed;
  }

 private:
  static Serving& serving(Controller* controller) { return *static_cast<Serving*>(controller); }
};

enum class Over { kUnix, kTcp, kTls };
inline std::string name_of_sockets(const testing::TestParamInfo<Over>& tested) {
  return std::array{"Unix", "Tcp", "Tls"}[static_cast<size_t>(tested.param)];
}

inline std::shared_ptr<const TlsContext> tls_of(const test::TestCa::Member& member) {
  auto context = TlsContext::read({member.certificate, member.key, member.ca});
  EXPECT_TRUE(context) << context.error().message();
  return context ? *std::move(context) : nullptr;
}

class TransportTest : public testing::TestWithParam<Over> {
 protected:
  static constexpr std::chrono::seconds kSoon{20};

  void SetUp() override {
    if (GetParam() == Over::kUnix) {
      address_.path = dir_ / "socket";
    } else {
      address_.host = "127.0.0.1";
    }
    if (GetParam() == Over::kTls) tls_ = tls_of(test::TestCa("a CA").issue(dir_.path(), "member"));
  }
  void TearDown() override {
    channels_.clear();
    server_.reset();
  }

  void serve(Secret secret = {}, ServerLimits limits = {}) {
    server_ = std::make_unique<Server>(Party{Role::kStorage, "there", "cluster-a"},
                                       Credentials(std::move(secret), tls_), limits);
    server_->add(wire::kStorageServiceNumber, echo_);
    server_->on_session_end([this](const Party& peer) { std::call_once(told_, [&] { ended_.set_value(peer); }); });
    const Status listening = server_->listen(address_);
    ASSERT_TRUE(listening) << listening.error().message();
    ASSERT_TRUE(server_->start());
  }
  Channel& channel(Secret secret = {}, const std::string& cluster = {}) {
    Party self{Role::kClient, "here", cluster, session_};
    channels_.push_back(std::make_unique<Channel>(std::vector{address_}, wire::kStorageServiceNumber, std::move(self),
                                                  Credentials(std::move(secret), tls_)));
    return *channels_.back();
  }
  // What the server says of inode `id`.
  static Result<wire::ChunkState> stat(Channel& channel, uint64_t id = 5) {
    wire::FileRequest request;
    request.set_id(id);
    wire::ChunkState reply;
    Call call(kSoon);
    wire::Storage_Stub(&channel).StatFile(&call, &request, &reply, nullptr);
    RETURN_IF_ERROR(call.status);
    return reply;
  }
  static int error_of(Channel& channel, std::string* text = nullptr) {
    const auto reply = stat(channel);
    if (reply) return 0;
    if (text != nullptr) *text = reply.error().context;
    return reply.error().code;
  }

  // --- below the channel
  std::unique_ptr<Connection> connect_only() {
    auto socket = connect_to(address_, kSoon);
    EXPECT_TRUE(socket) << socket.error().message();
    return connection_over(socket ? *std::move(socket) : UniqueFd(), "server", {{}, tls_}, TlsSide::kClient);
  }
  std::unique_ptr<Connection> connect() {
    auto connection = connect_only();
    EXPECT_TRUE(connection->secure(soon()));
    return connection;
  }
  std::unique_ptr<Connection> connect_greeted() {
    auto connection = connect_only();
    const auto greeted = greet(*connection, {Role::kClient, "here", "", session_}, {}, 0, soon());
    EXPECT_TRUE(greeted) << greeted.error().message();
    return connection;
  }
  static Deadline soon() { return std::chrono::steady_clock::now() + kSoon; }
  static Header request_of(const char* method, uint64_t number) {
    Header header;
    header.method =
        method_number(wire::kStorageServiceNumber, wire::Storage::descriptor()->FindMethodByName(method)->index());
    header.request = number;
    return header;
  }
  static void send_raw(Connection& connection, std::string_view bytes) {
    EXPECT_EQ(::send(connection.poll_descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  static void expect_refused(Connection& connection) {
    const auto refused = connection.receive(soon());
    ASSERT_TRUE(refused) << refused.error().message();
    EXPECT_EQ(refused->header.code, EPROTO);
    EXPECT_FALSE(refused->body.empty());
    expect_closed(connection);
  }
  // The other end ends the connection, and says nothing before.
  static void expect_closed(Connection& connection) {
    const auto message = connection.receive(soon());
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error().code, ECONNRESET) << message.error().message();
  }

  test::TempDir dir_;
  std::shared_ptr<const TlsContext> tls_;
  Address address_;
  Echo echo_;
  uint64_t session_ = random_number();
  std::promise<Party> ended_;
  std::once_flag told_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Channel>> channels_;
};

}  // namespace forebay::transport
