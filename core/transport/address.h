// Address: where a server listens.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/processor.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay::transport {

struct Address {
  std::string host;  // a name or a number; IPv6 numbers without brackets
  uint16_t port = 0;
  std::string path;  // of a Unix socket; then there is no host

  bool is_unix() const { return !path.empty(); }
  // "HOST:PORT", "[::1]:PORT" or "unix:PATH": what parse_address() takes.
  std::string text() const;
  bool operator==(const Address&) const = default;
};

// EINVAL with what is wrong.
Result<Address> parse_address(std::string_view text);

// True if nobody but this machine reaches it.
bool is_local(const Address& address);

// A listening socket; non-blocking. Port 0: `address` gets the one that the kernel chose. A Unix socket that a dead
// server left is replaced. EADDRINUSE, EADDRNOTAVAIL, EACCES, ... with the address.
Result<UniqueFd> listen_on(Address& address);

// Takes one connection from a listening socket; non-blocking. EAGAIN when there is none.
Result<UniqueFd> accept_from(int listener);

bool is_unix_socket(int socket);
// The processor that took what came last over a connection from the network; kNoProcessor if it is not known.
uint32_t incoming_processor(int socket);
// Who is at the other end of a connected socket, "10.0.0.2:41234"; empty if it is a Unix socket.
std::string peer_text(int socket);

// A connected socket, non-blocking. ETIMEDOUT, ECONNREFUSED, ENOENT, ... with the address.
Result<UniqueFd> connect_to(const Address& address, std::chrono::milliseconds limit);

}  // namespace forebay::transport
