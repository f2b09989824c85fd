// TLS: who is let in, and what those are told who are not; and the files that it is made of.
#include <sys/stat.h>

#include "tests/unit/protocol/tls_harness.h"

namespace forebay::transport {
namespace {

using test::TestCa;
using testing::AllOf;
using testing::HasSubstr;
using namespace std::chrono_literals;

class TlsHandshakeTest : public TlsTest {};

TEST_F(TlsHandshakeTest, MembersOfOneCaKnowEachOtherWithoutASecret) {
  const Ends ends = meet(member(ca_, "client"), member(ca_, "server"));
  ASSERT_TRUE(ends.client) << ends.client.error().message();
  ASSERT_TRUE(ends.server) << ends.server.error().message();
  EXPECT_EQ(ends.client->peer.node, "there");
  EXPECT_EQ(ends.server->peer.node, "here");
}

TEST_F(TlsHandshakeTest, TheSecretIsAskedForWithinTls) {
  Credentials client = member(ca_, "client"), server = member(ca_, "server");
  server.secret = client.secret = Secret("a secret of more than 16 bytes");
  EXPECT_TRUE(meet(client, server).client);
  client.secret = Secret("quite another secret");
  const Ends ends = meet(client, server);
  ASSERT_FALSE(ends.client);
  EXPECT_THAT(ends.client.error().context, HasSubstr("knows another secret"));
}

TEST_F(TlsHandshakeTest, AClientOfAnotherCaIsRefused) {
  expect_refused(meet(member(other_ca_, "client", ca_.text()), member(ca_, "server")),
                 "refuses this side's TLS: unknown CA; cluster.tls_certificate here must be signed",
                 "shows a TLS certificate that is not accepted: unable to get local issuer certificate");
}

// The server looks at his certificate when he is through: what it says lies there when he speaks, and is not heard.
TEST_F(TlsHandshakeTest, AClientThatIsRefusedMeanwhileLearnsItWhenHeSpeaks) {
  const auto client =
      connection_over(connect(), address_.text(), member(other_ca_, "client", ca_.text()), TlsSide::kClient);
  const Credentials server = member(ca_, "server");
  auto answered = std::async(std::launch::async, [&] { return answer_one(server); });
  ASSERT_TRUE(client->secure(soon()));
  ASSERT_FALSE(answered.get());
  Status sent;
  while (sent) sent = client->send({}, "some words", {}, -1, soon());
  EXPECT_EQ(sent.error().code, EACCES) << sent.error().message();
  EXPECT_THAT(sent.error().context, HasSubstr("refuses this side's TLS: unknown CA"));
}

TEST_F(TlsHandshakeTest, AServerOfAnotherCaIsRefused) {
  expect_refused(meet(member(ca_, "client"), member(other_ca_, "server", ca_.text())),
                 "shows a TLS certificate that is not accepted: unable to get local issuer certificate",
                 "refuses this side's TLS: unknown CA; cluster.tls_certificate here must be signed");
}

TEST_F(TlsHandshakeTest, ACertificateThatIsNotGoodTodayIsRefused) {
  const TestCa::Validity past{-7200s, -3600s}, future{3600s, 7200s};
  expect_refused(meet(member(ca_, "client", past), member(ca_, "server")), "certificate expired; renew",
                 "certificate has expired; renew it there");
  expect_refused(meet(member(ca_, "client"), member(ca_, "server", past)), "certificate has expired; renew it there",
                 "certificate expired; renew");
  expect_refused(meet(member(ca_, "client"), member(ca_, "server", future)), "not yet valid; compare the clocks",
                 "refuses this side's TLS");
}

TEST_F(TlsHandshakeTest, AClientWithoutTlsIsToldWhatToSet) {
  expect_refused(meet({}, member(ca_, "server")),
                 "it speaks no TLS, and the server wants it; set cluster.tls_certificate",
                 "does not speak TLS; set cluster.tls_certificate");
}

TEST_F(TlsHandshakeTest, AServerWithoutTlsIsNotTalkedTo) {
  expect_refused(meet(member(ca_, "client"), {}), "does not speak TLS, and this side does; set cluster.tls_certificate",
                 "speaks TLS, and this side does not; set cluster.tls_certificate");
}

TEST_F(TlsHandshakeTest, AClientWithoutACertificateIsRefused) {
  const Credentials server = member(ca_, "server");
  auto answered = std::async(std::launch::async, [&] { return answer_one(server); });
  BareTls client(connect(), TLS1_3_VERSION);
  EXPECT_TRUE(client.connect()) << "the server looks later";
  const auto refused = answered.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EACCES);
  EXPECT_THAT(refused.error().context, HasSubstr("shows no TLS certificate; set cluster.tls_certificate there"));
}

TEST_F(TlsHandshakeTest, AnOlderTlsIsRefused) {
  const TestCa::Member files = ca_.issue(directory_.path(), "client");
  const Credentials server = member(ca_, "server");
  auto answered = std::async(std::launch::async, [&] { return answer_one(server); });
  BareTls client(connect(), TLS1_2_VERSION, &files);
  EXPECT_FALSE(client.connect());
  const auto refused = answered.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EPROTO);
  EXPECT_THAT(refused.error().context, HasSubstr("TLS fails: unsupported protocol"));
}

TEST_F(TlsHandshakeTest, GarbageThatBeginsAsTlsIsRefused) {
  const Credentials server = member(ca_, "server");
  for (const std::string& garbage :
       {std::string(500, kTlsHandshake), std::string("\x16\x03\x01\x00\x05hello") + "more"}) {
    auto answered = std::async(std::launch::async, [&] { return answer_one(server); });
    const UniqueFd client = connect();
    ASSERT_GT(::send(client.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);
    const auto refused = answered.get();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().code, testing::AnyOf(EACCES, EPROTO)) << refused.error().message();
  }
}

TEST_F(TlsHandshakeTest, AHandshakeThatStopsHalfWayEndsInTime) {
  const Credentials server = member(ca_, "server");
  for (const std::string& begun : {std::string(1, kTlsHandshake), std::string("\x16\x03\x01\x02\x00", 5)}) {
    const UniqueFd client = connect();
    ASSERT_GT(::send(client.get(), begun.data(), begun.size(), MSG_NOSIGNAL), 0);
    const auto given_up = answer_one(server, std::chrono::steady_clock::now() + 100ms);
    ASSERT_FALSE(given_up);
    EXPECT_EQ(given_up.error().code, ETIMEDOUT) << given_up.error().message();
  }
}

class TlsFilesTest : public testing::Test {
 protected:
  static std::string error_of(const TestCa::Member& member) {
    const auto context = TlsContext::read({member.certificate, member.key, member.ca});
    return context ? "" : context.error().message();
  }

  const test::TempDir directory_;
  const TestCa ca_{"ours"};
  TestCa::Member member_ = ca_.issue(directory_.path(), "member");
};

TEST_F(TlsFilesTest, ThatAreThereAndFitAreTaken) { EXPECT_EQ(error_of(member_), ""); }

TEST_F(TlsFilesTest, ThatAreMissingOrNoPemAreNamed) {
  const std::string missing = directory_ / "missing", garbage = directory_ / "garbage";
  test::write_file(garbage, "garbage");
  ::chmod(garbage.c_str(), 0600);
  const std::pair<const char*, std::string TestCa::Member::*> fields[] = {
      {"cluster.tls_certificate", &TestCa::Member::certificate},
      {"cluster.tls_key", &TestCa::Member::key},
      {"cluster.tls_ca", &TestCa::Member::ca}};
  for (const auto& [name, field] : fields) {
    TestCa::Member wrong = member_;
    wrong.*field = missing;
    EXPECT_THAT(error_of(wrong), AllOf(HasSubstr(name), HasSubstr(missing), HasSubstr("No such file")));
    wrong.*field = garbage;
    EXPECT_THAT(error_of(wrong), AllOf(HasSubstr(name), HasSubstr(garbage), HasSubstr("in PEM")));
  }
}

TEST_F(TlsFilesTest, AKeyThatOthersMayReadIsRefused) {
  ::chmod(member_.key.c_str(), 0644);
  EXPECT_THAT(error_of(member_), AllOf(HasSubstr("cluster.tls_key " + member_.key), HasSubstr("chmod 600")));
}

TEST_F(TlsFilesTest, AKeyOfAnotherCertificateIsRefused) {
  member_.key = ca_.issue(directory_.path(), "other").key;
  EXPECT_THAT(error_of(member_), AllOf(HasSubstr(member_.key), HasSubstr("is not the key of cluster.tls_certificate")));
}

}  // namespace
}  // namespace forebay::transport
