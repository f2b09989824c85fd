#include "core/transport/credentials.h"

#include "core/transport/address.h"
#include "core/transport/tls_connection.h"

namespace forebay::transport {

std::unique_ptr<Connection> connection_over(UniqueFd socket, std::string peer, const Credentials& credentials,
                                            TlsSide side) {
  if (credentials.tls == nullptr || is_unix_socket(socket.get())) {
    return std::make_unique<SocketConnection>(std::move(socket), std::move(peer));
  }
  return std::make_unique<TlsConnection>(std::move(socket), std::move(peer), credentials.tls, side);
}

}  // namespace forebay::transport
