// Two ends of a TCP connection, each with credentials of its own.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "tests/support/files.h"
#include "tests/unit/protocol/transport_harness.h"

namespace forebay::transport {

// What each end of one connection gets out of it.
class TlsTest : public testing::Test {
 protected:
  static constexpr std::chrono::seconds kSoon{20};
  static Deadline soon() { return std::chrono::steady_clock::now() + kSoon; }
  struct Ends {
    Result<Greeted> client, server;
  };

  void SetUp() override { ASSERT_TRUE(listener_ = listen_on(address_).value_or(UniqueFd())); }

  UniqueFd connect() { return connect_to(address_, kSoon).value_or(UniqueFd()); }
  UniqueFd accept() {
    pollfd watched = {listener_.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&watched, 1, 20'000), 1);
    return accept_from(listener_.get()).value_or(UniqueFd());
  }
  Result<Greeted> answer_one(const Credentials& credentials, Deadline deadline = soon()) {
    UniqueFd socket = accept();
    const std::string peer = peer_text(socket.get());
    const auto connection = connection_over(std::move(socket), peer, credentials, TlsSide::kServer);
    return answer(*connection, {Role::kStorage, "there", "cluster-a"}, credentials.secret, deadline);
  }
  Ends meet(const Credentials& client, const Credentials& server) {
    auto answered = std::async(std::launch::async, [&] { return answer_one(server); });
    auto connection = connection_over(connect(), address_.text(), client, TlsSide::kClient);
    Result<Greeted> greeted =
        greet(*connection, {Role::kClient, "here", "", random_number()}, client.secret, 0, soon());
    connection.reset();
    return {std::move(greeted), answered.get()};
  }
  // Both ends name the other one, and say these.
  void expect_refused(const Ends& ends, const std::string& client_says, const std::string& server_says) {
    ASSERT_FALSE(ends.client);
    ASSERT_FALSE(ends.server);
    EXPECT_THAT(ends.client.error().context,
                testing::AllOf(testing::HasSubstr(address_.text()), testing::HasSubstr(client_says)));
    EXPECT_THAT(ends.server.error().context,
                testing::AllOf(testing::HasSubstr("127.0.0.1:"), testing::HasSubstr(server_says)));
    for (const auto* error : {&ends.client.error(), &ends.server.error()}) {
      EXPECT_THAT(error->code, testing::AnyOf(EACCES, EPROTO)) << "another try would be in vain: " << error->context;
      EXPECT_THAT(error->context, testing::Not(testing::HasSubstr("\n")));
    }
  }

  Credentials member(const test::TestCa& ca, const std::string& name, const std::string& trusted_too = {}) {
    return {{}, tls_of(ca.issue(directory_.path(), name, trusted_too))};
  }
  Credentials member(const test::TestCa& ca, const std::string& name, const test::TestCa::Validity& validity) {
    return {{}, tls_of(ca.issue(directory_.path(), name, validity))};
  }

  const test::TempDir directory_;
  Address address_{.host = "127.0.0.1"};
  UniqueFd listener_;
  const test::TestCa ca_{"ours"}, other_ca_{"theirs"};
};

// A client of OpenSSL that does as little as it can.
class BareTls {
 public:
  BareTls(UniqueFd socket, int newest_version, const test::TestCa::Member* member = nullptr)
      : socket_(std::move(socket)), context_(::SSL_CTX_new(::TLS_client_method()), &::SSL_CTX_free) {
    ::SSL_CTX_set_max_proto_version(context_.get(), newest_version);
    if (member != nullptr) {
      ::SSL_CTX_use_certificate_file(context_.get(), member->certificate.c_str(), SSL_FILETYPE_PEM);
      ::SSL_CTX_use_PrivateKey_file(context_.get(), member->key.c_str(), SSL_FILETYPE_PEM);
    }
    ::fcntl(socket_.get(), F_SETFL, 0);  // blocking, but not for ever
    constexpr timeval kLimit = {.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kLimit, sizeof(kLimit));
    session_.reset(::SSL_new(context_.get()));
    ::SSL_set_fd(session_.get(), socket_.get());
  }
  bool connect() { return ::SSL_connect(session_.get()) == 1; }
  // In one record, if it fits one.
  bool write(const std::string& data) {
    return ::SSL_write(session_.get(), data.data(), static_cast<int>(data.size())) == static_cast<int>(data.size());
  }
  std::string read(size_t bytes) {
    std::string data(bytes, '\0');
    size_t filled = 0, got = 0;
    while (filled < bytes && ::SSL_read_ex(session_.get(), data.data() + filled, bytes - filled, &got) == 1)
      filled += got;
    data.resize(filled);
    return data;
  }

 private:
  const UniqueFd socket_;
  const std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context_;
  struct End {
    void operator()(SSL* session) const { ::SSL_free(session); }
  };
  std::unique_ptr<SSL, End> session_;
};

}  // namespace forebay::transport
