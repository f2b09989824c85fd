#include "core/transport/socket_connection.h"

#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/transport/address.h"

namespace forebay::transport {
namespace {

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

// What comes first of `parts` has been sent.
void skip_sent(std::span<iovec>& parts, size_t sent) {
  while (!parts.empty() && sent >= parts.front().iov_len) {
    sent -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (parts.empty()) return;
  parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + sent;
  parts.front().iov_len -= sent;
}

using DescriptorSpace = std::array<char, CMSG_SPACE(sizeof(int))>;

void attach(msghdr& message, std::span<char> space, int descriptor) {
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(control), &descriptor, sizeof(descriptor));
}

UniqueFd detach(msghdr& message) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(control), sizeof(descriptor));
    return UniqueFd(descriptor);
  }
  return UniqueFd();
}

}  // namespace

SocketConnection::SocketConnection(UniqueFd socket, std::string peer)
    : socket_(std::move(socket)), peer_(std::move(peer)), is_unix_(is_unix_socket(socket_.get())) {}

Status SocketConnection::wait(short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return fail(ETIMEDOUT, "{}: no answer in time", peer_);
    pollfd watched = {socket_.get(), events, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(std::min<int64_t>(left, INT32_MAX)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno("{}", peer_);
  }
}

Status SocketConnection::send(Header header, std::string_view body, const Bulk& bulk, int descriptor,
                              Deadline deadline) {
  header.body_bytes = static_cast<uint32_t>(body.size());
  header.bulk_bytes = static_cast<uint32_t>(bulk.bytes());
  header.descriptors = descriptor >= 0 ? 1 : 0;
  HeaderBytes head = encode(header);
  iovec pieces[] = {{head.data(), head.size()},
                    {const_cast<char*>(body.data()), body.size()},
                    {const_cast<char*>(bulk.memory.data()), bulk.file >= 0 ? 0 : bulk.memory.size()}};
  std::span<iovec> left(pieces);
  skip_sent(left, 0);
  while (!left.empty()) {
    ASSIGN_OR_RETURN(const size_t sent, send_some(left, std::exchange(descriptor, -1), bulk.file >= 0, deadline));
    skip_sent(left, sent);
  }
  asked_ = header.kind == Kind::kRequest;
  return bulk.file >= 0 ? send_file(bulk, deadline) : Status{};
}

Result<size_t> SocketConnection::send_some(std::span<iovec> pieces, int descriptor, bool more, Deadline deadline) {
  alignas(cmsghdr) DescriptorSpace space = {};
  msghdr message = {};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  if (descriptor >= 0) attach(message, space, descriptor);
  for (;;) {
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    if (sent > 0) return static_cast<size_t>(sent);
    if (would_block()) {
      RETURN_IF_ERROR(wait(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return fail(ECONNRESET, "{}: {}", peer_, std::strerror(errno));
    }
  }
}

// The number of bytes was promised in the header: a file that is shorter by now ends the connection.
Status SocketConnection::send_file(const Bulk& bulk, Deadline deadline) {
  auto offset = static_cast<off_t>(bulk.file_offset);
  size_t left = bulk.file_bytes;
  while (left > 0) {
    const ssize_t sent = ::sendfile(socket_.get(), bulk.file, &offset, left);
    if (sent > 0) {
      left -= static_cast<size_t>(sent);
    } else if (sent == 0) {
      return fail(EIO, "{}: the file ended before its data was sent", peer_);
    } else if (would_block()) {
      RETURN_IF_ERROR(wait(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return fail(ECONNRESET, "{}: {}", peer_, std::strerror(errno));
    }
  }
  return {};
}

// Most messages come whole with one call: header and body, and the beginning of the bulk.
Result<Message> SocketConnection::receive(Deadline deadline) {
  if (std::exchange(asked_, false) && !has_input()) RETURN_IF_ERROR(wait(POLLIN, deadline));
  constexpr size_t kUsualBytes = 1024;
  std::array<char, kUsualBytes> first;
  early_.clear();
  Message message;
  size_t got = 0;
  while (got < kHeaderBytes) {
    ASSIGN_OR_RETURN(const size_t more, receive_some(std::span(first).subspan(got), &message.descriptor, deadline));
    got += more;
  }
  Result<Header> header = decode(std::span<const char, kHeaderBytes>(first.data(), kHeaderBytes));
  if (!header) return fail(header.error().code, "{}: {}", peer_, header.error().context);
  message.header = *header;
  if (message.header.descriptors > 0 && !message.descriptor) return fail(EPROTO, "{}: a descriptor is missing", peer_);
  const size_t body_bytes = message.header.body_bytes;
  const size_t here = std::min(got - kHeaderBytes, body_bytes);
  message.body.assign(first.data() + kHeaderBytes, here);
  const size_t rest = got - kHeaderBytes - here;
  if (rest > message.header.bulk_bytes) return fail(EPROTO, "{}: {} bytes behind a message", peer_, rest);
  early_.assign(first.data() + kHeaderBytes + here, rest);
  message.body.resize(body_bytes);
  RETURN_IF_ERROR(receive_all(std::span(message.body).subspan(here), deadline));
  return message;
}

Status SocketConnection::receive_bulk(std::span<char> buffer, Deadline deadline) {
  const size_t here = std::min(early_.size(), buffer.size());
  std::memcpy(buffer.data(), early_.data(), here);
  early_.erase(0, here);
  return receive_all(buffer.subspan(here), deadline);
}

Status SocketConnection::receive_all(std::span<char> buffer, Deadline deadline) {
  while (!buffer.empty()) {
    ASSIGN_OR_RETURN(const size_t got, receive_some(buffer, nullptr, deadline));
    buffer = buffer.subspan(got);
  }
  return {};
}

Result<size_t> SocketConnection::receive_some(std::span<char> buffer, UniqueFd* descriptor, Deadline deadline) {
  while (true) {
    iovec piece = {buffer.data(), buffer.size()};
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    alignas(cmsghdr) DescriptorSpace space = {};
    if (descriptor != nullptr && is_unix_) {
      message.msg_control = space.data();
      // Room for one, and not a byte more: alignment would leave space for a second, which nobody would close.
      message.msg_controllen = CMSG_LEN(sizeof(int));
    }
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got > 0) {
      if (message.msg_controllen > 0 && descriptor != nullptr) *descriptor = detach(message);
      return static_cast<size_t>(got);
    }
    if (got == 0) return fail(ECONNRESET, "{}: the connection was closed", peer_);
    if (would_block()) {
      RETURN_IF_ERROR(wait(POLLIN, deadline));
    } else if (errno != EINTR) {
      return fail(ECONNRESET, "{}: {}", peer_, std::strerror(errno));
    }
  }
}

void SocketConnection::shut_down() { ::shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace forebay::transport
