// SocketConnection: a stream socket, TCP or Unix.
#pragma once

#include <sys/uio.h>

#include "core/transport/connection.h"

namespace forebay::transport {

class SocketConnection : public Connection {
 public:
  // `socket`: connected, non-blocking.
  SocketConnection(UniqueFd socket, std::string peer);

  Status send(Header header, std::string_view body, const Bulk& bulk, int descriptor, Deadline deadline) override;
  Result<Message> receive(Deadline deadline) override;
  Status receive_bulk(std::span<char> buffer, Deadline deadline) override;
  bool passes_descriptors() const override { return is_unix_; }
  int poll_descriptor() const override { return socket_.get(); }
  void shut_down() override;
  std::string peer_name() const override { return peer_; }

 protected:
  Status wait(short events, Deadline deadline);
  // All that goes and comes passes through these two. At least one byte, at most all of them.
  // `more`: a file follows.
  virtual Result<size_t> send_some(std::span<iovec> pieces, int descriptor, bool more, Deadline deadline);
  virtual Result<size_t> receive_some(std::span<char> buffer, UniqueFd* descriptor, Deadline deadline);

 private:
  Status receive_all(std::span<char> buffer, Deadline deadline);
  Status send_file(const Bulk& bulk, Deadline deadline);

  const UniqueFd socket_;
  const std::string peer_;
  const bool is_unix_;
  bool asked_ = false;  // the answer will take a moment
  std::string early_;   // bulk that came with the message before it
};

}  // namespace forebay::transport
