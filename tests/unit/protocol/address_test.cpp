#include "core/transport/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>

namespace forebay::transport {
namespace {

std::string congestion_control(int fd) {
  char name[16] = {};
  socklen_t bytes = sizeof(name) - 1;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &bytes), 0);
  return name;
}

// A connection has the congestion control of the socket that listened, or the system's.
TEST(AddressTest, AConnectionIsNotPacedByBbr) {
  Address address{"127.0.0.1", 0, {}};
  const Result<UniqueFd> listener = listen_on(address);
  ASSERT_TRUE(listener) << listener.error().message();
  if (::setsockopt(listener->get(), IPPROTO_TCP, TCP_CONGESTION, "bbr", 3) != 0) GTEST_SKIP() << "no BBR here";
  const Result<UniqueFd> client = connect_to(address, std::chrono::seconds(5));
  ASSERT_TRUE(client) << client.error().message();
  pollfd arrived = {listener->get(), POLLIN, 0};
  ASSERT_EQ(::poll(&arrived, 1, 5000), 1);
  const Result<UniqueFd> server = accept_from(listener->get());
  ASSERT_TRUE(server) << server.error().message();
  EXPECT_NE(congestion_control(client->get()), "bbr");
  EXPECT_NE(congestion_control(server->get()), "bbr");
}

// What the administrator has chosen otherwise stays.
TEST(AddressTest, AnyOtherCongestionControlStays) {
  Address address{"127.0.0.1", 0, {}};
  const Result<UniqueFd> listener = listen_on(address);
  ASSERT_TRUE(listener) << listener.error().message();
  ASSERT_EQ(::setsockopt(listener->get(), IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
  const Result<UniqueFd> client = connect_to(address, std::chrono::seconds(5));
  ASSERT_TRUE(client) << client.error().message();
  pollfd arrived = {listener->get(), POLLIN, 0};
  ASSERT_EQ(::poll(&arrived, 1, 5000), 1);
  const Result<UniqueFd> server = accept_from(listener->get());
  ASSERT_TRUE(server) << server.error().message();
  EXPECT_EQ(congestion_control(server->get()), "reno");
}

}  // namespace
}  // namespace forebay::transport
