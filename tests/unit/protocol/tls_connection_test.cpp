// A connection with TLS loses nothing, and waits no longer than one without. That it carries all that others carry, the
// transport tests show, which run over it as well.
#include <thread>

#include "core/transport/hello.pb.h"
#include "tests/unit/protocol/tls_harness.h"

namespace forebay::transport {
namespace {

using test::TestCa;
using namespace std::chrono_literals;

// Two ends of one connection, behind their handshakes.
class TlsConnectionTest : public TlsTest {
 protected:
  void SetUp() override {
    TlsTest::SetUp();
    const Credentials credentials = member(ca_, "member");
    client_ = connection_over(connect(), "server", credentials, TlsSide::kClient);
    server_ = connection_over(accept(), "client", credentials, TlsSide::kServer);
    auto secured = std::async(std::launch::async, [&] { return server_->secure(soon()); });
    ASSERT_TRUE(client_->secure(soon()));
    ASSERT_TRUE(secured.get());
  }

  std::unique_ptr<Connection> client_, server_;
};

TEST_F(TlsConnectionTest, NobodyIsWaitedForLongerThanTheDeadline) {
  const auto brief = [] { return std::chrono::steady_clock::now() + 100ms; };
  EXPECT_EQ(server_->receive(brief()).error().code, ETIMEDOUT);
  const std::string more_than_sockets_hold(kMostBulkBytes, 'x');
  Bulk bulk;
  bulk.memory = more_than_sockets_hold;
  EXPECT_EQ(client_->send({}, {}, bulk, -1, brief()).error().code, ETIMEDOUT);
}

TEST_F(TlsConnectionTest, WhoIsShutDownWaitsNoLonger) {
  auto waiting = std::async(std::launch::async, [&] { return server_->receive(soon()); });
  EXPECT_EQ(waiting.wait_for(50ms), std::future_status::timeout);
  server_->shut_down();
  EXPECT_EQ(waiting.get().error().code, ECONNRESET);
  EXPECT_EQ(client_->receive(soon()).error().code, ECONNRESET);
}

TEST_F(TlsConnectionTest, AFileThatIsTooShortIsNotSent) {
  test::write_file(directory_ / "short", "short");
  const UniqueFd file(::open((directory_ / "short").c_str(), O_RDONLY | O_CLOEXEC));
  Bulk bulk;
  bulk.file = file.get();
  bulk.file_bytes = 100;
  EXPECT_EQ(client_->send({}, {}, bulk, -1, soon()).error().code, EIO);
}

// With little room in the sockets, and a relay that cuts all into small pieces: each record comes in many, and each
// write waits.
class TlsPiecesTest : public TlsTest {
 protected:
  // Carries what comes from the one to the other, until one of them ends.
  static void relay(int from, int to) {
    std::array<char, 700> piece;
    for (;;) {
      const ssize_t got = ::recv(from, piece.data(), piece.size(), 0);
      if (got <= 0 || ::send(to, piece.data(), static_cast<size_t>(got), MSG_NOSIGNAL) != got) break;
    }
    ::shutdown(to, SHUT_WR);
  }
  static UniqueFd blocking(UniqueFd socket) {
    ::fcntl(socket.get(), F_SETFL, 0);
    return socket;
  }
  static UniqueFd with_little_room(UniqueFd socket) {
    constexpr int kBytes = 8 << 10;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kBytes, sizeof(kBytes));
    return socket;
  }
};

TEST_F(TlsPiecesTest, NothingIsLostWhereRecordsComeInPieces) {
  const Credentials credentials = member(ca_, "member");
  const auto client = connection_over(with_little_room(connect()), "server", credentials, TlsSide::kClient);
  const UniqueFd front = blocking(accept()), back = blocking(connect());
  const auto server = connection_over(with_little_room(accept()), "client", credentials, TlsSide::kServer);
  std::thread to_server([&] { relay(front.get(), back.get()); });
  std::thread to_client([&] { relay(back.get(), front.get()); });
  const std::string content = test::noise(2 * test::kMiB + 3);
  auto echoed = std::async(std::launch::async, [&]() -> Status {
    RETURN_IF_ERROR(server->secure(soon()));
    ASSIGN_OR_RETURN(const Message message, server->receive(soon()));
    std::string found(message.header.bulk_bytes, '?');
    RETURN_IF_ERROR(server->receive_bulk(found, soon()));
    Bulk same;
    same.memory = found;
    return server->send({.kind = Kind::kReply}, message.body, same, -1, soon());
  });
  const auto ask = [&]() -> Result<std::string> {
    RETURN_IF_ERROR(client->secure(soon()));
    Bulk bulk;
    bulk.memory = content;
    RETURN_IF_ERROR(client->send({}, "a body", bulk, -1, soon()));
    ASSIGN_OR_RETURN(const Message reply, client->receive(soon()));
    EXPECT_EQ(reply.body, "a body");
    std::string found(reply.header.bulk_bytes, '?');
    RETURN_IF_ERROR(client->receive_bulk(found, soon()));
    return found;
  };
  const Result<std::string> found = ask();
  EXPECT_EQ(test::content_difference(content, found.value_or("")), "");
  EXPECT_TRUE(found) << found.error().message();
  const Status status = echoed.get();
  EXPECT_TRUE(status) << status.error().message();
  client->shut_down();
  server->shut_down();
  to_server.join();
  to_client.join();
}

class TlsServerTest : public TlsTest {
 protected:
  void serve(const Address& address) {
    server_ = std::make_unique<Server>(Party{Role::kStorage, "there", "cluster-a"}, member(ca_, "server"));
    server_->add(wire::kStorageServiceNumber, echo_);
    server_address_ = address;
    const Status listening = server_->listen(server_address_);
    ASSERT_TRUE(listening) << listening.error().message();
    ASSERT_TRUE(server_->start());
  }
  Status ask(const Credentials& credentials) {
    Channel channel({server_address_}, wire::kStorageServiceNumber, {Role::kClient, "here", "", random_number()},
                    credentials);
    wire::ChunkState reply;
    Call call(kSoon);
    wire::Storage_Stub(&channel).StatFile(&call, &wire::FileRequest::default_instance(), &reply, nullptr);
    return std::move(call.status);
  }

  Echo echo_;
  Address server_address_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsServerTest, ListensBeyondThisMachineWithoutASecret) {
  serve({.host = "0.0.0.0"});
  EXPECT_TRUE(ask(member(ca_, "client")));
}

TEST_F(TlsServerTest, SpeaksWithoutTlsOverAUnixSocket) {
  serve({.path = directory_ / "socket"});
  EXPECT_TRUE(ask({}));
  EXPECT_TRUE(ask(member(ca_, "client")));
}

TEST_F(TlsServerTest, RefusesAtOnceWhomTryingAgainWouldNotHelp) {
  serve({.host = "127.0.0.1"});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(ask({}).error().code, EACCES);
  EXPECT_EQ(ask(member(other_ca_, "client", ca_.text())).error().code, EACCES);
  EXPECT_EQ(ask(member(other_ca_, "client")).error().code, EACCES);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_TRUE(ask(member(ca_, "client")));
  EXPECT_EQ(echo_.closed, 0);
}

TEST_F(TlsServerTest, ManyWhoOnlyConnectDisturbNobody) {
  serve({.host = "127.0.0.1"});
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(connect_to(server_address_, kSoon).value_or(UniqueFd()));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(ask(member(ca_, "client")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s) << "the time that a thread waits for one who has begun";
}

// What came behind a request in one record is in the server's hands, and no descriptor tells of it.
TEST_F(TlsServerTest, ARequestThatCameInTheRecordOfAnotherIsServed) {
  serve({.host = "127.0.0.1"});
  const TestCa::Member files = ca_.issue(directory_.path(), "bare");
  BareTls client(connect_to(server_address_, kSoon).value_or(UniqueFd()), TLS1_3_VERSION, &files);
  ASSERT_TRUE(client.connect());
  const auto frame = [](Header header, const std::string& body, const std::string& bulk) {
    header.body_bytes = static_cast<uint32_t>(body.size());
    header.bulk_bytes = static_cast<uint32_t>(bulk.size());
    const HeaderBytes head = encode(header);
    return std::string(head.data(), head.size()) + body + bulk;
  };
  const auto read_frame = [&client] {
    const std::string head = client.read(kHeaderBytes);
    Result<Header> header = fail(ECONNRESET);
    if (head.size() == kHeaderBytes) header = decode(std::span<const char, kHeaderBytes>(head.data(), kHeaderBytes));
    if (header) client.read(header->body_bytes);
    return header;
  };
  wire::Hello hello;
  hello.set_oldest_version(kOldestVersion);
  hello.set_newest_version(kNewestVersion);
  hello.set_role(1);
  hello.set_session(random_number());
  hello.set_nonce(std::string(32, 'n'));
  ASSERT_TRUE(client.write(frame({.kind = Kind::kHello}, hello.SerializeAsString(), {})));
  ASSERT_TRUE(read_frame());
  ASSERT_TRUE(client.write(frame({.kind = Kind::kHello}, {}, {})));
  ASSERT_TRUE(read_frame());

  wire::WriteRequest write;
  write.set_id(1);
  const auto method = [](const char* name) {
    return method_number(wire::kStorageServiceNumber, wire::Storage::descriptor()->FindMethodByName(name)->index());
  };
  const std::string bulk(5000, 'b');
  ASSERT_TRUE(client.write(frame({.method = method("Write"), .request = 1}, write.SerializeAsString(), bulk) +
                           frame({.method = method("StatFile"), .request = 2}, {}, {})));
  for (const uint64_t request : {1, 2}) {
    const Result<Header> reply = read_frame();
    ASSERT_TRUE(reply) << "no reply to request " << request;
    EXPECT_EQ(reply->request, request);
    EXPECT_EQ(reply->code, 0);
  }
  EXPECT_EQ(echo_.written, bulk);
}

}  // namespace
}  // namespace forebay::transport
