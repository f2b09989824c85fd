// TlsConnection: a TCP socket with TLS between it and the frames.
#pragma once

#include "core/transport/socket_connection.h"
#include "core/transport/tls_context.h"

namespace forebay::transport {

class TlsConnection final : public SocketConnection {
 public:
  // `socket`: connected, non-blocking.
  TlsConnection(UniqueFd socket, std::string peer, std::shared_ptr<const TlsContext> context, TlsSide side);

  // The handshake of TLS. EACCES: the peer speaks no TLS, or one of the certificates is refused by the other side.
  Status secure(Deadline deadline) override;
  Status send(Header header, std::string_view body, const Bulk& bulk, int descriptor, Deadline deadline) override;
  bool has_input() const override;

 private:
  // Calls a function of OpenSSL until it is done.
  template <typename Step>
  Status complete(Step step, Deadline deadline);
  Result<size_t> send_some(std::span<iovec> pieces, int descriptor, bool more, Deadline deadline) override;
  Result<size_t> receive_some(std::span<char> buffer, UniqueFd* descriptor, Deadline deadline) override;
  // EACCES, as long as it cannot be TLS that the peer speaks; he is told.
  Status expect_tls(Deadline deadline);
  // The peer is gone, and may have said why before.
  Error why_gone(Error error);

  const std::shared_ptr<const TlsContext> context_;
  const TlsSide side_;
  TlsContext::Session session_;  // from secure() on
};

}  // namespace forebay::transport
