// Frames, handshake, channel and server, over both kinds of sockets: what goes through, who is refused, and what
// happens when a connection or a server is gone in between.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "core/io.h"
#include "core/transport/hello.pb.h"
#include "tests/support/files.h"
#include "tests/unit/protocol/transport_harness.h"

namespace forebay::transport {
namespace {

const Secret kSecret("a secret of more than 16 bytes");

INSTANTIATE_TEST_SUITE_P(Sockets, TransportTest, testing::Values(Over::kUnix, Over::kTcp, Over::kTls), name_of_sockets);

// What lies on the wire itself.
class TransportBytesTest : public TransportTest {};
INSTANTIATE_TEST_SUITE_P(Sockets, TransportBytesTest, testing::Values(Over::kUnix, Over::kTcp), name_of_sockets);

TEST_P(TransportTest, ARequestHasItsReply) {
  serve();
  const auto reply = stat(channel(), 42);
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->size(), 42u);
}

TEST_P(TransportTest, OneConnectionServesOneRequestAfterTheOther) {
  serve();
  Channel& client = channel();
  for (uint64_t id = 1; id < 100; ++id) ASSERT_EQ(stat(client, id)->size(), id);
  EXPECT_EQ(server_->connections(), 1u);
}

TEST_P(TransportTest, AnErrorComesWithItsNumberAndItsContext) {
  serve();
  wire::SeekReply reply;
  Call call;
  wire::Storage_Stub(&channel()).Seek(&call, &wire::SeekRequest::default_instance(), &reply, nullptr);
  ASSERT_FALSE(call.status);
  EXPECT_EQ(call.status.error().code, ENXIO);
  EXPECT_EQ(call.status.error().context, "target 7: is not here");
}

TEST_P(TransportTest, AMethodThatNobodyWroteIsAnError) {
  serve();
  wire::SpaceReport reply;
  Call call;
  wire::Storage_Stub(&channel()).Space(&call, &wire::TargetRequest::default_instance(), &reply, nullptr);
  EXPECT_FALSE(call.status);
  EXPECT_EQ(error_of(channel()), 0);
}

TEST_P(TransportTest, AServiceThatIsNotThereIsAnError) {
  serve();
  Channel other({address_}, 99, {Role::kClient, "here", "", session_}, {{}, tls_});
  std::string text;
  EXPECT_EQ(error_of(other, &text), ENOSYS);
  EXPECT_NE(text.find("does not know request"), text.npos) << text;
}

class TransportBulkTest : public TransportTest {
 protected:
  void SetUp() override {
    TransportTest::SetUp();
    test::write_file(dir_ / "data", data_);
    file_.reset(::open((dir_ / "data").c_str(), O_RDONLY | O_CLOEXEC));
    echo_.memory = data_;
    echo_.file = file_.get();
  }
  Status write(Channel& channel, const Bulk& bulk, uint64_t id = 1) {
    wire::WriteRequest request;
    request.set_id(id);
    wire::Done reply;
    Call call(kSoon);
    call.bulk = bulk;
    wire::Storage_Stub(&channel).Write(&call, &request, &reply, nullptr);
    return std::move(call.status);
  }
  Result<std::string> read(Channel& channel, uint64_t id, uint64_t offset, size_t bytes) {
    wire::ReadRequest request;
    request.set_id(id);
    request.set_offset(offset);
    request.set_bytes(bytes);
    wire::ReadReply reply;
    Call call(kSoon);
    std::string buffer(bytes, '?');
    call.room = buffer;
    wire::Storage_Stub(&channel).Read(&call, &request, &reply, nullptr);
    RETURN_IF_ERROR(call.status);
    buffer.resize(call.received);
    return buffer;
  }

  const std::string data_ = test::noise(3 * test::kMiB + 5);
  UniqueFd file_;
};
INSTANTIATE_TEST_SUITE_P(Sockets, TransportBulkTest, testing::Values(Over::kUnix, Over::kTcp, Over::kTls),
                         name_of_sockets);

TEST_P(TransportBulkTest, DataGoesThereFromMemoryAndFromAFile) {
  serve();
  Channel& client = channel();
  Bulk bulk;
  bulk.memory = data_;
  ASSERT_TRUE(write(client, bulk));
  EXPECT_TRUE(echo_.written == data_);
  bulk = {};
  bulk.file = file_.get();
  bulk.file_offset = 100;
  bulk.file_bytes = 2 * test::kMiB;
  ASSERT_TRUE(write(client, bulk));
  EXPECT_TRUE(echo_.written == data_.substr(100, 2 * test::kMiB));
}

TEST_P(TransportBulkTest, DataComesFromMemoryAndFromAFile) {
  serve();
  Channel& client = channel();
  EXPECT_TRUE(read(client, 1, 0, data_.size()).value_or("") == data_);
  EXPECT_TRUE(read(client, 2, 7, test::kMiB).value_or("") == data_.substr(7, test::kMiB));
  EXPECT_EQ(read(client, 1, 0, 0).value_or("?"), "");
}

TEST_P(TransportBulkTest, DataThatIsRefusedIsOutOfTheWayOfWhatFollows) {
  serve();
  Channel& client = channel();
  Bulk bulk;
  bulk.memory = data_;
  for (int i = 0; i < 3; ++i) {
    const Status refused = write(client, bulk, 0);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EROFS);
    EXPECT_EQ(error_of(client), 0);
  }
  EXPECT_EQ(server_->connections(), 1u);
}

TEST_P(TransportBulkTest, MoreThanAFrameHoldsIsRefusedHere) {
  serve();
  const std::string huge(kMostBulkBytes + 1, 'x');
  Bulk bulk;
  bulk.memory = huge;
  const Status refused = write(channel(), bulk);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EMSGSIZE);
}

TEST_P(TransportBulkTest, ADescriptorComesOverUnixSockets) {
  serve();
  wire::Done reply;
  Call call;
  wire::Storage_Stub(&channel()).Lease(&call, &wire::LeaseRequest::default_instance(), &reply, nullptr);
  ASSERT_TRUE(call.status) << call.status.error().message();
  ASSERT_EQ(static_cast<bool>(call.descriptor), GetParam() == Over::kUnix);
  if (!call.descriptor) return;
  std::string buffer(10, '?');
  EXPECT_EQ(pread_full(call.descriptor.get(), buffer.data(), buffer.size(), 50).value_or(0), 10u);
  EXPECT_EQ(buffer, data_.substr(50, 10));
}

class TransportBulkBytesTest : public TransportBulkTest {};
INSTANTIATE_TEST_SUITE_P(Sockets, TransportBulkBytesTest, testing::Values(Over::kUnix, Over::kTcp), name_of_sockets);

// Its first try was not done: so the second is, and not taken for a repetition of the first.
TEST_P(TransportBulkBytesTest, ARequestThatBrokeInItsDataIsDoneWhenItComesAgain) {
  serve();
  wire::WriteRequest request;
  request.set_id(1);
  const std::string body = request.SerializeAsString();
  Header header = request_of("Write", 9);
  header.body_bytes = static_cast<uint32_t>(body.size());
  header.bulk_bytes = 1000;
  auto first = connect_greeted();
  const HeaderBytes head = encode(header);
  send_raw(*first, std::string(head.data(), head.size()) + body + "too short");
  first.reset();
  auto second = connect_greeted();
  Bulk bulk;
  bulk.memory = std::span<const char>(data_).first(1000);
  ASSERT_TRUE(second->send(header, body, bulk, -1, soon()));
  const auto reply = second->receive(soon());
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->header.code, 0) << reply->body;
  EXPECT_EQ(echo_.writes, 1);
  EXPECT_EQ(echo_.written, data_.substr(0, 1000));
}

TEST_P(TransportTest, WhoKnowsTheSecretIsServed) {
  serve(kSecret);
  EXPECT_EQ(error_of(channel(kSecret)), 0);
}

TEST_P(TransportTest, WhoDoesNotKnowTheSecretIsRefusedAtOnce) {
  serve(kSecret);
  std::string text;
  EXPECT_EQ(error_of(channel(Secret("quite another secret")), &text), EACCES);
  EXPECT_NE(text.find("knows another secret"), text.npos) << text;
  EXPECT_EQ(error_of(channel(), &text), EACCES);
  EXPECT_NE(text.find("wants a secret"), text.npos) << text;
}

TEST_P(TransportTest, AServerWithoutTheSecretIsNotTrusted) {
  serve();
  std::string text;
  EXPECT_EQ(error_of(channel(kSecret), &text), EACCES);
  EXPECT_NE(text.find("has no secret"), text.npos) << text;
}

// A client that skips the check of the server's proof still has to prove that it knows the secret.
TEST_P(TransportTest, AFalseProofIsRefusedWithAReason) {
  serve(kSecret);
  auto connection = connect();
  wire::Hello hello;
  hello.set_oldest_version(kOldestVersion);
  hello.set_newest_version(kNewestVersion);
  hello.set_role(1);
  hello.set_nonce(std::string(32, 'n'));
  const Header header{.kind = Kind::kHello};
  ASSERT_TRUE(connection->send(header, hello.SerializeAsString(), {}, -1, soon()));
  ASSERT_TRUE(connection->receive(soon()));
  wire::HelloProof proof;
  proof.set_proof(std::string(32, 'p'));
  ASSERT_TRUE(connection->send(header, proof.SerializeAsString(), {}, -1, soon()));
  const auto refused = connection->receive(soon());
  ASSERT_TRUE(refused) << refused.error().message();
  EXPECT_EQ(refused->header.code, EACCES);
  EXPECT_EQ(refused->body, "it does not know the secret");
  expect_closed(*connection);
}

TEST_P(TransportTest, AnotherClusterIsRefused) {
  serve();
  std::string text;
  EXPECT_EQ(error_of(channel({}, "cluster-b"), &text), EXDEV);
  EXPECT_NE(text.find("cluster-b"), text.npos) << text;
  EXPECT_NE(text.find("cluster-a"), text.npos) << text;
  EXPECT_EQ(error_of(channel({}, "cluster-a")), 0);
}

TEST_P(TransportTest, AnotherVersionIsRefusedWithAReason) {
  serve();
  auto connection = connect();
  wire::Hello hello;
  hello.set_oldest_version(kNewestVersion + 1);
  hello.set_newest_version(kNewestVersion + 3);
  hello.set_role(1);
  hello.set_nonce(std::string(32, 'n'));
  // Its frames are of its own version, too.
  ASSERT_TRUE(connection->send({.version = kNewestVersion + 3, .kind = Kind::kHello}, hello.SerializeAsString(), {}, -1,
                               soon()));
  const auto refused = connection->receive(soon());
  ASSERT_TRUE(refused) << refused.error().message();
  EXPECT_EQ(refused->header.code, EPROTO);
  EXPECT_NE(refused->body.find("and the server "), std::string::npos) << refused->body;
}

// They go into the log, and into what is answered.
TEST_P(TransportTest, NamesThatAreNoLineAreRefused) {
  serve();
  for (const bool is_node : {true, false}) {
    for (const std::string& name : {std::string("a\nforged line"), std::string(2000, 'x'), std::string("\x1b[2J")}) {
      auto connection = connect();
      wire::Hello hello;
      hello.set_oldest_version(kOldestVersion);
      hello.set_newest_version(kNewestVersion);
      hello.set_role(1);
      hello.set_nonce(std::string(32, 'n'));
      is_node ? hello.set_node(name) : hello.set_cluster(name);
      ASSERT_TRUE(connection->send({.kind = Kind::kHello}, hello.SerializeAsString(), {}, -1, soon()));
      const auto refused = connection->receive(soon());
      ASSERT_TRUE(refused) << refused.error().message();
      EXPECT_EQ(refused->header.code, EPROTO);
      EXPECT_EQ(refused->body.find("forged"), std::string::npos) << refused->body;
    }
  }
}

TEST_P(TransportBytesTest, WhatIsNoFrameEndsTheConnectionAndNothingElse) {
  serve();
  Channel& client = channel();
  ASSERT_EQ(error_of(client), 0);
  for (const std::string& garbage :
       {std::string(4096, '\xff'), std::string("GET / HTTP/1.1\r\n\r\n") + std::string(100, ' '),
        std::string(48, '\0')}) {
    auto connection = connect();
    send_raw(*connection, garbage);
    expect_refused(*connection);
    auto greeted = connect_greeted();
    send_raw(*greeted, garbage);
    expect_closed(*greeted);
  }
  EXPECT_EQ(error_of(client), 0);
}

TEST_P(TransportTest, ARequestBeforeTheGreetingEndsTheConnection) {
  serve();
  auto connection = connect();
  ASSERT_TRUE(connection->send(request_of("CloseFiles", 1), {}, {}, -1, soon()));
  expect_refused(*connection);
  EXPECT_EQ(echo_.closed, 0);
}

TEST_P(TransportBytesTest, AFrameThatIsTooLargeEndsTheConnection) {
  serve();
  for (const bool bulk : {false, true}) {
    auto connection = connect_greeted();
    Header header = request_of("CloseFiles", 1);
    (bulk ? header.bulk_bytes : header.body_bytes) = (bulk ? kMostBulkBytes : kMostBodyBytes) + 1;
    const HeaderBytes head = encode(header);
    send_raw(*connection, {head.data(), head.size()});
    expect_closed(*connection);
  }
  EXPECT_EQ(echo_.closed, 0);
}

TEST_P(TransportTest, ABodyThatMakesNoSenseIsAnError) {
  serve();
  auto connection = connect_greeted();
  ASSERT_TRUE(connection->send(request_of("CloseFiles", 1), "\xff\xff\xff", {}, -1, soon()));
  const auto reply = connection->receive(soon());
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->header.code, EPROTO);
  EXPECT_EQ(echo_.closed, 0);
}

TEST_P(TransportTest, WhoSaysNothingIsDropped) {
  serve({}, {.greeting = std::chrono::milliseconds(100)});
  auto connection = connect();
  expect_closed(*connection);
  EXPECT_EQ(error_of(channel()), 0);
}

TEST_P(TransportTest, ManyRequestsAreServedAtATime) {
  constexpr int kMany = 200;
  std::latch all(kMany);
  // None of them returns before all are here.
  echo_.on_stat = [&](uint64_t) { all.arrive_and_wait(); };
  serve();
  Channel& client = channel();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kMany; ++i) threads.emplace_back([&] { good += stat(client) ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kMany);
}

TEST_P(TransportTest, AServerThatIsStartedAnewIsFoundAgain) {
  serve();
  Channel& client = channel();
  ASSERT_EQ(error_of(client), 0);
  server_.reset();
  std::thread caller([&] { EXPECT_EQ(error_of(client), 0); });
  serve();
  caller.join();
  // Nor does the connection of before stand in the way of who has not called in between.
  server_.reset();
  serve();
  EXPECT_EQ(error_of(client), 0);
}

TEST_P(TransportTest, AServerThatStaysAwayIsAnErrorInTime) {
  serve();
  Channel& client = channel();
  ASSERT_EQ(error_of(client), 0);
  server_.reset();
  wire::FileRequest request;
  wire::ChunkState reply;
  Call call(std::chrono::milliseconds(300));
  wire::Storage_Stub(&client).StatFile(&call, &request, &reply, nullptr);
  ASSERT_FALSE(call.status);
  EXPECT_NE(call.status.error().context.find(address_.text()), std::string::npos) << call.status.error().message();
}

TEST_P(TransportTest, ARequestThatComesTwiceIsDoneOnce) {
  serve();
  for (int i = 0; i < 3; ++i) {
    auto connection = connect_greeted();
    ASSERT_TRUE(connection->send(request_of("CloseFiles", 77), {}, {}, -1, soon()));
    const auto reply = connection->receive(soon());
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(reply->header.code, 0);
    EXPECT_EQ(reply->header.request, 77u);
  }
  EXPECT_EQ(echo_.closed, 1);
  // Another client has numbers of its own.
  session_ = random_number();
  auto connection = connect_greeted();
  ASSERT_TRUE(connection->send(request_of("CloseFiles", 77), {}, {}, -1, soon()));
  ASSERT_TRUE(connection->receive(soon()));
  EXPECT_EQ(echo_.closed, 2);
}

TEST_P(TransportTest, ARequestThatComesAgainWhileItIsDoneWaitsForTheOne) {
  std::promise<void> entered, may_go_on;
  echo_.on_close = [&] {
    entered.set_value();  // twice would throw
    may_go_on.get_future().wait();
  };
  serve();
  auto first = connect_greeted(), second = connect_greeted();
  ASSERT_TRUE(first->send(request_of("CloseFiles", 77), {}, {}, -1, soon()));
  entered.get_future().wait();
  ASSERT_TRUE(second->send(request_of("CloseFiles", 77), {}, {}, -1, soon()));
  may_go_on.set_value();
  EXPECT_TRUE(first->receive(soon()));
  EXPECT_TRUE(second->receive(soon()));
  EXPECT_EQ(echo_.closed, 1);
}

// Two channels of one process are one session: their numbers must not meet.
TEST_P(TransportTest, ChannelsOfOneProcessAreNotTakenForEachOther) {
  serve();
  wire::Done reply;
  for (Channel* client : {&channel(), &channel(), &channel()}) {
    Call call;
    wire::Storage_Stub(client).CloseFiles(&call, &wire::FilesRequest::default_instance(), &reply, nullptr);
    EXPECT_TRUE(call.status);
  }
  EXPECT_EQ(echo_.closed, 3);
}

TEST_P(TransportTest, TheEndOfASessionIsTold) {
  serve({}, {.session_grace = std::chrono::milliseconds(50)});
  std::future<Party> ended = ended_.get_future();
  ASSERT_EQ(error_of(channel()), 0);
  ASSERT_EQ(error_of(channel()), 0);
  channels_.pop_back();
  EXPECT_EQ(ended.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout)
      << "one of its connections is left";
  channels_.clear();
  ASSERT_EQ(ended.wait_for(kSoon), std::future_status::ready);
  const Party peer = ended.get();
  EXPECT_EQ(peer.session, session_);
  EXPECT_EQ(peer.node, "here");
  EXPECT_EQ(peer.role, Role::kClient);
}

TEST_P(TransportTest, AClientOfBeforeARestartHasAMomentToComeBack) {
  constexpr std::chrono::milliseconds kMoment{200};
  serve({}, {.session_grace = kMoment / 10, .return_grace = kMoment});
  std::future<Party> ended = ended_.get_future();
  server_->expect_client(session_);
  ASSERT_EQ(error_of(channel()), 0) << "it comes";
  EXPECT_EQ(ended.wait_for(2 * kMoment), std::future_status::timeout);
  const auto began = std::chrono::steady_clock::now();
  server_->expect_client(session_ + 1);
  ASSERT_EQ(ended.wait_for(kSoon), std::future_status::ready) << "it does not";
  EXPECT_EQ(ended.get().session, session_ + 1);
  EXPECT_GE(std::chrono::steady_clock::now() - began, kMoment);
}

// Each that is served asks the same server again: with threads for all of them alone, none would get through.
TEST_P(TransportTest, WhoWaitsDoesNotTakeTheThreadsOfThoseHeWaitsFor) {
  constexpr int kMany = 60;
  std::latch all(kMany);
  constexpr uint64_t kDepth = 3;
  serve();
  Channel& client = channel();
  Channel& inner = channel();
  echo_.on_stat = [&](uint64_t depth) {
    EXPECT_EQ(request_level(), kDepth - depth + 1);
    if (depth == kDepth) all.arrive_and_wait();
    if (depth > 0) {
      EXPECT_TRUE(stat(inner, depth - 1));
    }
  };
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kMany; ++i) threads.emplace_back([&] { good += stat(client, kDepth) ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kMany);
}

class ParkedReplyTest : public TransportTest {
 protected:
  static Result<wire::SpaceReport> ask(Channel& channel) {
    wire::SpaceReport reply;
    Call call(kSoon);
    wire::Storage_Stub(&channel).SpaceOf(&call, &wire::TargetRequest::default_instance(), &reply, nullptr);
    RETURN_IF_ERROR(call.status);
    return reply;
  }
  static wire::SpaceReport answer() {
    wire::SpaceReport reply;
    reply.set_used_bytes(42);
    return reply;
  }
};
INSTANTIATE_TEST_SUITE_P(Sockets, ParkedReplyTest, testing::Values(Over::kUnix, Over::kTcp, Over::kTls),
                         name_of_sockets);

TEST_P(ParkedReplyTest, ComesWhenSomebodyElseSendsIt) {
  serve();
  Channel& client = channel();
  auto waiting = std::async(std::launch::async, [&] { return ask(client); });
  const std::shared_ptr<ParkedReply> parked = echo_.parked.get_future().get();
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  EXPECT_EQ(error_of(client), 0) << "others are served meanwhile";
  parked->send(answer());
  parked->send(answer());
  const auto reply = waiting.get();
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->used_bytes(), 42u);
  EXPECT_EQ(error_of(client), 0) << "and over the same connection afterwards";
  EXPECT_LE(server_->connections(), 2u);
}

TEST_P(ParkedReplyTest, OfAClientThatIsGoneGoesNowhere) {
  ServerLimits limits;
  limits.session_grace = std::chrono::milliseconds(50);
  serve({}, limits);
  Channel& client = channel();
  auto waiting = std::async(std::launch::async, [&] { return ask(client); });
  const std::shared_ptr<ParkedReply> parked = echo_.parked.get_future().get();
  client.shut_down();
  EXPECT_EQ(waiting.get().error().code, ECANCELED);
  EXPECT_EQ(ended_.get_future().get().session, session_) << "its end is noticed though nobody reads from it";
  parked->send(answer());
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_P(ParkedReplyTest, MayBeLeftWhenTheServerEnds) {
  serve();
  Channel& client = channel();
  auto waiting = std::async(std::launch::async, [&] { return ask(client); });
  const std::shared_ptr<ParkedReply> parked = echo_.parked.get_future().get();
  server_->stop();
  client.shut_down();
  EXPECT_EQ(waiting.get().error().code, ECANCELED);
  parked->send(answer());
}

TEST_P(TransportTest, AChannelThatIsShutDownEndsItsRequests) {
  std::promise<void> entered, may_go_on;
  echo_.on_stat = [&](uint64_t) {
    entered.set_value();
    may_go_on.get_future().wait();
  };
  serve();
  Channel& client = channel();
  std::thread caller([&] {
    EXPECT_EQ(error_of(client), ECANCELED);
    EXPECT_EQ(error_of(client), ECANCELED);
  });
  entered.get_future().wait();
  client.shut_down();
  caller.join();
  may_go_on.set_value();
  server_.reset();  // nobody waits for that reply, and it is still made
}

TEST(TransportAddressTest, WithoutASecretNobodyElseIsListenedTo) {
  Server server({Role::kStorage, "there", "cluster-a"}, {});
  Address everywhere{.host = "0.0.0.0"};
  const Status listening = server.listen(everywhere);
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().code, EACCES);
}

TEST(TransportAddressTest, IsWhatItsTextSays) {
  for (const char* text : {"host:17", "[::1]:8000", "unix:/run/x", "10.0.0.1:65535"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << address.error().message();
    EXPECT_EQ(address->text(), text);
  }
  for (const char* text : {"", "host", ":17", "host:", "host:x", "host:70000", "::1:17", "unix:relative"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

}  // namespace
}  // namespace forebay::transport
