// Connection: one peer, one request at a time. The interface between what is said and how it travels.
//
// A request goes with bulk to send, or room for bulk to receive; who serves it pulls the one and pushes the other. Over
// sockets both lie behind the messages. A transport with remote memory access has what it needs in the same calls: the
// header says how much there is and how much room, the client's send() registers its buffers and names them, the
// server's receive_bulk() is an RDMA READ from them, and its send() an RDMA WRITE into them before the reply.
//
// All calls block until done or until `deadline`: ETIMEDOUT. After any error the connection is of no use: ECONNRESET
// (the peer is gone), EPROTO (it talks nonsense). One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "core/result.h"
#include "core/transport/frame.h"
#include "core/unique_fd.h"

namespace forebay::transport {

using Deadline = std::chrono::steady_clock::time_point;

// Bytes that go behind a message: from memory, or straight from a file.
struct Bulk {
  std::span<const char> memory;
  int file = -1;  // if it is not negative: `file_bytes` from `file_offset` on
  uint64_t file_offset = 0;
  size_t file_bytes = 0;

  size_t bytes() const { return file >= 0 ? file_bytes : memory.size(); }
};

struct Message {
  Header header;
  std::string body;
  UniqueFd descriptor;  // came with it
};

class Connection {
 public:
  virtual ~Connection() = default;

  // Before anything else: what this kind of connection needs so that nobody listens and the peer is who may speak.
  // EACCES: he is not, or does not take us for it.
  virtual Status secure(Deadline) { return {}; }
  // Sends a message; fills in its header's sizes. `descriptor`: goes with it, if this is not -1.
  virtual Status send(Header header, std::string_view body, const Bulk& bulk, int descriptor, Deadline deadline) = 0;
  // Receives the next message, without its bulk.
  virtual Result<Message> receive(Deadline deadline) = 0;
  // Receives bulk of the message that came last; never more than it has.
  virtual Status receive_bulk(std::span<char> buffer, Deadline deadline) = 0;

  // Whether a descriptor can go with a message.
  virtual bool passes_descriptors() const = 0;
  // Becomes readable when a message comes, or the peer goes.
  virtual int poll_descriptor() const = 0;
  // Something that came is here already: poll_descriptor() does not tell of it any more.
  virtual bool has_input() const { return false; }
  // Ends it for both sides, and whoever waits in a call. Thread safe.
  virtual void shut_down() = 0;
  // Who is at the other end, for messages to people.
  virtual std::string peer_name() const = 0;
};

}  // namespace forebay::transport
