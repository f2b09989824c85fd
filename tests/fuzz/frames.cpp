// Bytes as they come over a socket, to a real server: frames, the handshake, what comes before and after it.
//
//   input := how u8, bytes...
//   how   := bit 0: to the server with a secret; bit 1: a descriptor comes with the first byte; bits 2 and 3: how many
//            bytes are sent at a time
#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "core/log.h"
#include "tests/fuzz/confine.h"
#include "tests/unit/protocol/transport_harness.h"

namespace forebay::transport {
namespace {

using Input = std::span<const uint8_t>;

constexpr size_t kEchoBytes = 100'000;

class FrameServer {
 public:
  explicit FrameServer(Secret secret)
      : server_({Role::kStorage, "there", "cluster-a"}, std::move(secret),
                {.session_grace = std::chrono::milliseconds(20)}) {
    echo_.memory.assign(kEchoBytes, 'm');
    test::write_file(dir_ / "data", echo_.memory);
    file_.reset(::open((dir_ / "data").c_str(), O_RDONLY | O_CLOEXEC));
    echo_.file = file_.get();
    server_.add(wire::kStorageServiceNumber, echo_);
    address_.path = dir_ / "socket";
    fuzz::require(server_.listen(address_) && server_.start(), "the server does not start");
  }
  UniqueFd connect() {
    Result<UniqueFd> socket = connect_to(address_, std::chrono::seconds(10));
    fuzz::require(socket.has_value(), "the server takes no connections any more");
    return *std::move(socket);
  }

 private:
  test::TempDir dir_;
  UniqueFd file_;
  Echo echo_;
  Address address_;
  Server server_;
};

size_t send_some(int socket, Input bytes, bool with_descriptor) {
  iovec piece = {const_cast<uint8_t*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char space[CMSG_SPACE(2 * sizeof(int))] = {};
  if (with_descriptor) {
    // Two, of which one is too many.
    const int descriptors[] = {socket, socket};
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    cmsghdr* const control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(descriptors));
    std::memcpy(CMSG_DATA(control), descriptors, sizeof(descriptors));
  }
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

// A machine that stands still for a while is not taken for a server that does: its time passes in one wait.
constexpr int kMostSilentSeconds = 15;

// Sends all of it, then the end; takes what is replied until the server closes.
void talk(int socket, Input bytes, size_t most_at_a_time, bool with_descriptor) {
  static char replies[64 << 10];
  bool sending = true;
  for (int silent_seconds = 0;;) {
    if (sending && bytes.empty()) {
      sending = false;
      ::shutdown(socket, SHUT_WR);
    }
    pollfd watched = {socket, static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN), 0};
    const int ready = ::poll(&watched, 1, 1000);
    if (ready < 0) continue;
    silent_seconds = ready > 0 ? 0 : silent_seconds + 1;
    fuzz::require(silent_seconds < kMostSilentSeconds, "the server neither answers nor ends the connection");
    if ((watched.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      const ssize_t got = ::recv(socket, replies, sizeof(replies), MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return;
    }
    if (!sending || (watched.revents & POLLOUT) == 0) continue;
    const size_t sent = send_some(socket, bytes.first(std::min(bytes.size(), most_at_a_time)), with_descriptor);
    with_descriptor = with_descriptor && sent == 0;
    bytes = bytes.subspan(sent);
  }
}

}  // namespace
}  // namespace forebay::transport

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  forebay::fuzz::confine();
  (void)forebay::start_log("stderr", "off");
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace forebay::transport;
  static FrameServer open_server{Secret()}, closed_server{Secret("a secret of more than 16 bytes")};
  if (size == 0) return 0;
  static const std::vector<std::string> usual = forebay::fuzz::open_descriptors();
  const uint8_t how = data[0];
  constexpr size_t kPieces[] = {1 << 20, 48, 7, 1};
  const bool with_descriptor = (how & 2) != 0;
  {
    const forebay::UniqueFd socket = ((how & 1) != 0 ? closed_server : open_server).connect();
    talk(socket.get(), {data + 1, size - 1}, kPieces[how >> 2 & 3], with_descriptor);
  }
  if (with_descriptor) forebay::fuzz::require_descriptors(usual);
  return 0;
}
