#include "core/transport/tls_connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "core/io.h"
#include "core/thread_buffer.h"
#include "core/transport/tls_error.h"

namespace forebay::transport {

TlsConnection::TlsConnection(UniqueFd socket, std::string peer, std::shared_ptr<const TlsContext> context, TlsSide side)
    : SocketConnection(std::move(socket), std::move(peer)), context_(std::move(context)), side_(side) {}

Status TlsConnection::secure(Deadline deadline) {
  if (side_ == TlsSide::kServer) RETURN_IF_ERROR(expect_tls(deadline));
  session_ = context_->begin(poll_descriptor(), side_);
  if (session_ == nullptr) return fail(ENOMEM, "{}: no memory for TLS", peer_name());
  return complete([this] { return ::SSL_do_handshake(session_.get()); }, deadline);
}

Status TlsConnection::expect_tls(Deadline deadline) {
  RETURN_IF_ERROR(wait(POLLIN, deadline));
  char first = kTlsHandshake;  // at the end of the connection, the handshake says it
  (void)::recv(poll_descriptor(), &first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
  if (first == kTlsHandshake) return {};
  std::string reason =
      "it speaks no TLS, and the server wants it; set cluster.tls_certificate, cluster.tls_key and cluster.tls_ca";
  Header header{.kind = Kind::kHello, .code = EACCES, .body_bytes = static_cast<uint32_t>(reason.size())};
  HeaderBytes head = encode(header);
  iovec pieces[] = {{head.data(), head.size()}, {reason.data(), reason.size()}};
  (void)SocketConnection::send_some(pieces, -1, false, deadline);
  return fail(EACCES, "{}: does not speak TLS; set cluster.tls_certificate, cluster.tls_key and cluster.tls_ca there",
              peer_name());
}

template <typename Step>
Status TlsConnection::complete(Step step, Deadline deadline) {
  for (;;) {
    ::ERR_clear_error();  // of whatever this thread did before
    errno = 0;
    const int result = step();
    if (result > 0) return {};
    const int kind = ::SSL_get_error(session_.get(), result);
    if (kind == SSL_ERROR_WANT_READ) {
      RETURN_IF_ERROR(wait(POLLIN, deadline));
    } else if (kind == SSL_ERROR_WANT_WRITE) {
      RETURN_IF_ERROR(wait(POLLOUT, deadline));
    } else {
      return Failure(tls_error(session_.get(), kind, peer_name()));
    }
  }
}

// What is encrypted must pass through here.
Status TlsConnection::send(Header header, std::string_view body, const Bulk& bulk, int descriptor, Deadline deadline) {
  if (bulk.file < 0) return SocketConnection::send(header, body, bulk, descriptor, deadline);
  Bulk here;
  const std::span<char> buffer = thread_buffer<TlsConnection>(bulk.file_bytes);
  ASSIGN_OR_RETURN(const size_t bytes, pread_full(bulk.file, buffer.data(), buffer.size(), bulk.file_offset));
  if (bytes < buffer.size()) return fail(EIO, "{}: the file ended before its data was sent", peer_name());
  here.memory = buffer;
  return SocketConnection::send(header, body, here, descriptor, deadline);
}

// One record, as full as it gets: a header alone would be one of its own, and a packet.
Result<size_t> TlsConnection::send_some(std::span<iovec> pieces, int, bool, Deadline deadline) {
  std::array<char, SSL3_RT_MAX_PLAIN_LENGTH> record;
  std::span<const char> next(static_cast<const char*>(pieces.front().iov_base), pieces.front().iov_len);
  if (pieces.size() > 1 && next.size() < record.size()) {
    size_t filled = 0;
    for (const iovec& piece : pieces) {
      const size_t part = std::min(piece.iov_len, record.size() - filled);
      std::copy_n(static_cast<const char*>(piece.iov_base), part, record.data() + filled);
      filled += part;
    }
    next = std::span<const char>(record).first(filled);
  }
  size_t sent = 0;
  Status status = complete([&] { return ::SSL_write_ex(session_.get(), next.data(), next.size(), &sent); }, deadline);
  if (!status) return Failure(why_gone(std::move(status).error()));
  return sent;
}

// A server looks at the client's certificate when the client believes the handshake to be through: his next words may
// meet a connection that is closed.
Error TlsConnection::why_gone(Error error) {
  if (error.code != ECONNRESET) return error;
  std::array<char, 1> byte;
  Result<size_t> got = receive_some(byte, nullptr, std::chrono::steady_clock::now());
  return !got && got.error().code == EACCES ? std::move(got).error() : error;
}

Result<size_t> TlsConnection::receive_some(std::span<char> buffer, UniqueFd*, Deadline deadline) {
  size_t got = 0;
  RETURN_IF_ERROR(
      complete([&] { return ::SSL_read_ex(session_.get(), buffer.data(), buffer.size(), &got); }, deadline));
  return got;
}

bool TlsConnection::has_input() const { return session_ != nullptr && ::SSL_has_pending(session_.get()) == 1; }

}  // namespace forebay::transport
