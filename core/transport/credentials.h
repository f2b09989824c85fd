// Credentials: what makes this process a member of the cluster, and by what it knows the others.
#pragma once

#include "core/transport/handshake.h"
#include "core/transport/tls_context.h"

namespace forebay::transport {

struct Credentials {
  // NOLINTNEXTLINE(google-explicit-constructor): most have nothing but a secret
  Credentials(Secret its_secret = {}, std::shared_ptr<const TlsContext> its_tls = nullptr)
      : secret(std::move(its_secret)), tls(std::move(its_tls)) {}

  // Whether a member can be told from others.
  explicit operator bool() const { return secret || tls != nullptr; }

  Secret secret;
  std::shared_ptr<const TlsContext> tls;  // null: TCP connections are not encrypted
};

// A connection over a connected, non-blocking socket: with TLS, if there is any and the socket is no Unix socket.
std::unique_ptr<Connection> connection_over(UniqueFd socket, std::string peer, const Credentials& credentials,
                                            TlsSide side);

}  // namespace forebay::transport
