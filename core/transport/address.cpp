#include "core/transport/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>

namespace forebay::transport {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr int kBacklog = 1024;

using Resolved = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Resolved> resolve(const Address& address, int flags) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  const int failed = ::getaddrinfo(host, std::to_string(address.port).c_str(), &hints, &list);
  if (failed != 0) return fail(EHOSTUNREACH, "{}: {}", address.text(), ::gai_strerror(failed));
  return Resolved(list, &::freeaddrinfo);
}

Result<sockaddr_un> unix_address(const Address& address) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  if (address.path.size() >= sizeof(name.sun_path)) {
    return fail(ENAMETOOLONG, "{}: a socket's path has at most {} bytes", address.text(), sizeof(name.sun_path) - 1);
  }
  std::memcpy(name.sun_path, address.path.data(), address.path.size());
  return name;
}

Result<UniqueFd> new_socket(int family, const Address& address) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("{}", address.text());
  return fd;
}

// BBR paces what it sends by what it has seen flow. A connection that carries a reply now and then has seen little: it
// sends at half of what the link and the processors could, several side by side at a fifth, while all wait.
void avoid_pacing(int fd) {
  char name[16] = {};
  socklen_t bytes = sizeof(name) - 1;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &bytes) != 0 || !std::string_view(name).starts_with("bbr")) {
    return;
  }
  for (const std::string_view other : {"cubic", "reno"}) {
    if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, other.data(), static_cast<socklen_t>(other.size())) == 0) return;
  }
}

// Requests are small and waited for; and a host that is gone must be noticed although nothing is sent.
void set_tcp_options(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  constexpr int kIdleSeconds = 5, kIntervalSeconds = 2, kProbes = 5;
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleSeconds, sizeof(kIdleSeconds));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kIntervalSeconds, sizeof(kIntervalSeconds));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof(kProbes));
  constexpr unsigned kUnansweredMs = 15'000;
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnansweredMs, sizeof(kUnansweredMs));
  avoid_pacing(fd);
}

Status connect_socket(int fd, const sockaddr* name, socklen_t bytes, const Address& address,
                      std::chrono::milliseconds limit) {
  if (::connect(fd, name, bytes) == 0) return {};
  // EAGAIN: a Unix socket whose backlog is full. Nothing is under way then that could be waited for.
  if (errno != EINPROGRESS) return fail_errno("{}", address.text());
  pollfd wanted = {fd, POLLOUT, 0};
  if (::poll(&wanted, 1, static_cast<int>(limit.count())) <= 0) return fail(ETIMEDOUT, "{}", address.text());
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(error, "{}", address.text());
  return {};
}

// Nobody answers there any more: its server was killed.
bool is_dead(const Address& address) {
  constexpr std::chrono::milliseconds kLimit{200};
  const Result<UniqueFd> connected = connect_to(address, kLimit);
  return !connected && connected.error().code == ECONNREFUSED;
}

Result<UniqueFd> listen_unix(const Address& address) {
  ASSIGN_OR_RETURN(const sockaddr_un name, unix_address(address));
  ASSIGN_OR_RETURN(UniqueFd fd, new_socket(AF_UNIX, address));
  const auto* plain = reinterpret_cast<const sockaddr*>(&name);
  if (::bind(fd.get(), plain, sizeof(name)) != 0) {
    if (errno != EADDRINUSE || !is_dead(address)) return fail_errno("{}", address.text());
    ::unlink(address.path.c_str());
    if (::bind(fd.get(), plain, sizeof(name)) != 0) return fail_errno("{}", address.text());
  }
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno("{}", address.text());
  return fd;
}

Result<UniqueFd> listen_tcp(Address& address) {
  ASSIGN_OR_RETURN(const Resolved list, resolve(address, AI_PASSIVE));
  ASSIGN_OR_RETURN(UniqueFd fd, new_socket(list->ai_family, address));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), list->ai_addr, list->ai_addrlen) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return fail_errno("{}", address.text());
  }
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return fail_errno("{}", address.text());
  // Both families have the port in the same place.
  address.port = ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
  return fd;
}

}  // namespace

std::string Address::text() const {
  if (is_unix()) return std::string(kUnix) + path;
  if (host.find(':') == host.npos) return fmt::format("{}:{}", host, port);
  return fmt::format("[{}]:{}", host, port);
}

Result<Address> parse_address(std::string_view text) {
  Address address;
  if (text.starts_with(kUnix)) {
    address.path = text.substr(kUnix.size());
    if (!address.path.starts_with('/')) return fail(EINVAL, "\"{}\": the path of a socket must be absolute", text);
    return address;
  }
  const size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (colon == text.npos || host.empty()) return fail(EINVAL, "\"{}\" is not HOST:PORT or unix:PATH", text);
  if (host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != host.npos)
    return fail(EINVAL, "\"{}\": write [{}]:PORT", text, host);
  const std::string_view port = text.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size()) {
    return fail(EINVAL, "\"{}\": \"{}\" is not a port", text, port);
  }
  address.host = host;
  return address;
}

bool is_local(const Address& address) {
  if (address.is_unix()) return true;
  const Result<Resolved> list = resolve(address, 0);
  if (!list) return false;
  for (const addrinfo* at = list->get(); at != nullptr; at = at->ai_next) {
    if (at->ai_family == AF_INET) {
      const auto* four = reinterpret_cast<const sockaddr_in*>(at->ai_addr);
      if (ntohl(four->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) return false;
    } else if (at->ai_family == AF_INET6) {
      if (!IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(at->ai_addr)->sin6_addr)) return false;
    }
  }
  return true;
}

Result<UniqueFd> listen_on(Address& address) { return address.is_unix() ? listen_unix(address) : listen_tcp(address); }

Result<UniqueFd> accept_from(int listener) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  UniqueFd fd(::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return fail_errno();
  if (peer.ss_family != AF_UNIX) set_tcp_options(fd.get());
  return fd;
}

bool is_unix_socket(int socket) {
  int domain = 0;
  socklen_t size = sizeof(domain);
  return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

uint32_t incoming_processor(int socket) {
  int processor = -1;
  socklen_t size = sizeof(processor);
  const bool known = ::getsockopt(socket, SOL_SOCKET, SO_INCOMING_CPU, &processor, &size) == 0 && processor >= 0;
  return known ? static_cast<uint32_t>(processor) : kNoProcessor;
}

std::string peer_text(int socket) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return {};
  std::array<char, NI_MAXHOST> host = {};
  const int unknown = ::getnameinfo(reinterpret_cast<const sockaddr*>(&peer), size, host.data(), host.size(), nullptr,
                                    0, NI_NUMERICHOST);
  if (peer.ss_family == AF_UNIX || unknown != 0) return {};
  return Address{.host = host.data(), .port = ntohs(reinterpret_cast<const sockaddr_in*>(&peer)->sin_port)}.text();
}

Result<UniqueFd> connect_to(const Address& address, std::chrono::milliseconds limit) {
  if (address.is_unix()) {
    ASSIGN_OR_RETURN(const sockaddr_un name, unix_address(address));
    ASSIGN_OR_RETURN(UniqueFd fd, new_socket(AF_UNIX, address));
    RETURN_IF_ERROR(connect_socket(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name), address, limit));
    return fd;
  }
  ASSIGN_OR_RETURN(const Resolved list, resolve(address, 0));
  Status last = fail(EHOSTUNREACH, "{}", address.text());
  for (const addrinfo* at = list.get(); at != nullptr; at = at->ai_next) {
    ASSIGN_OR_RETURN(UniqueFd fd, new_socket(at->ai_family, address));
    set_tcp_options(fd.get());
    last = connect_socket(fd.get(), at->ai_addr, at->ai_addrlen, address, limit);
    if (last) return fd;
  }
  return Failure(last.error());
}

}  // namespace forebay::transport
