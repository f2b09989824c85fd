#include "core/transport/handshake.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "core/fault/fault.h"
#include "core/printable.h"
#include "core/private_file.h"
#include "core/transport/hello.pb.h"

namespace forebay::transport {
namespace {

constexpr size_t kNonceBytes = 32;
constexpr size_t kLeastSecretBytes = 16, kMostSecretBytes = 4096;
constexpr size_t kMostNameBytes = 255;
constexpr std::string_view kServer = "server", kClient = "client";

std::string new_nonce() {
  std::string nonce(kNonceBytes, '\0');
  const int made = ::RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()), kNonceBytes);
  assert(made == 1);
  (void)made;
  return nonce;
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Header hello_header(uint8_t level = 0) { return {.version = kNewestVersion, .kind = Kind::kHello, .level = level}; }

// The versions that this program speaks.
struct Versions {
  uint16_t oldest = kOldestVersion, newest = kNewestVersion;
};

Versions versions() {
  constexpr uint16_t kLater = kNewestVersion + 1;
  return fault_armed(Fault::kLaterVersion) ? Versions{kLater, kLater} : Versions{};
}

// The other end's part of the handshake, or the reason why it refuses.
Result<std::string> receive_hello(Connection& connection, Deadline deadline) {
  ASSIGN_OR_RETURN(Message message, connection.receive(deadline));
  if (message.header.kind != Kind::kHello) {
    return fail(EPROTO, "{}: speaks before it is greeted", connection.peer_name());
  }
  if (message.header.code != 0)
    return fail(message.header.code, "{} refuses this side: {}", connection.peer_name(), message.body);
  return std::move(message.body);
}

template <typename T>
Result<T> parse_hello(const std::string& body, const Connection& connection) {
  T parsed;
  if (!parsed.ParseFromString(body)) return fail(EPROTO, "{}: a greeting that makes no sense", connection.peer_name());
  return parsed;
}

Status send_hello(Connection& connection, const google::protobuf::Message& message, Deadline deadline) {
  return connection.send(hello_header(), message.SerializeAsString(), {}, -1, deadline);
}

void tell(Connection& connection, int code, std::string_view reason, Deadline deadline) {
  Header header = hello_header();
  header.code = code;
  (void)connection.send(header, reason, {}, -1, deadline);
}

// Says why, and returns the same.
Failure refuse(Connection& connection, int code, const std::string& reason, Deadline deadline) {
  tell(connection, code, reason, deadline);
  return fail(code, "{}: {}", connection.peer_name(), reason);
}

// What goes into logs and answers.
bool is_line(const std::string& name) { return name.size() <= kMostNameBytes && printable(name) == name; }

// Empty: nothing speaks against the client.
std::pair<int, std::string> objection(const wire::Hello& hello, const Party& self) {
  const auto [oldest, newest] = versions();
  if (hello.newest_version() < oldest || hello.oldest_version() > newest) {
    return {EPROTO, fmt::format("it speaks protocol versions {} to {}, and the server {} to {}; install the same "
                                "forebay on all nodes",
                                hello.oldest_version(), hello.newest_version(), oldest, newest)};
  }
  if (hello.nonce().size() != kNonceBytes || hello.level() >= kLevels || !is_line(hello.node()) ||
      !is_line(hello.cluster()) || hello.role() < static_cast<uint32_t>(Role::kClient) ||
      hello.role() > static_cast<uint32_t>(Role::kManagement)) {
    return {EPROTO, "its greeting makes no sense"};
  }
  if (!hello.cluster().empty() && hello.cluster() != self.cluster) {
    return {EXDEV, fmt::format("it has the data of cluster {}, and the server is of cluster {}", hello.cluster(),
                               self.cluster)};
  }
  return {};
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kClient:
      return "client";
    case Role::kMeta:
      return "metad";
    case Role::kStorage:
      return "storaged";
    case Role::kManagement:
      break;
  }
  return "mgmtd";
}

Result<Secret> Secret::read(const std::string& path) {
  ASSIGN_OR_RETURN(std::string key, read_private_file("secret file", path, kMostSecretBytes));
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  if (key.size() < kLeastSecretBytes) {
    return fail(EINVAL, "secret file {}: has {} bytes; at least {} are needed", path, key.size(), kLeastSecretBytes);
  }
  return Secret(std::move(key));
}

std::string Secret::prove(std::string_view label, std::string_view said) const {
  if (key_.empty()) return {};
  const std::string text = std::string(label) + std::string(said);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned bytes = 0;
  ::HMAC(::EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &bytes);
  return {reinterpret_cast<const char*>(digest.data()), bytes};
}

Result<Greeted> greet(Connection& connection, const Party& self, const Secret& secret, uint8_t level,
                      Deadline deadline) {
  RETURN_IF_ERROR(connection.secure(deadline));
  wire::Hello hello;
  const auto [oldest, newest] = versions();
  hello.set_oldest_version(oldest);
  hello.set_newest_version(newest);
  hello.set_cluster(self.cluster);
  hello.set_node(self.node);
  hello.set_role(static_cast<uint32_t>(self.role));
  hello.set_session(self.session);
  hello.set_level(level);
  hello.set_nonce(new_nonce());
  const std::string said = hello.SerializeAsString();
  RETURN_IF_ERROR(connection.send(hello_header(level), said, {}, -1, deadline));

  ASSIGN_OR_RETURN(const std::string answered, receive_hello(connection, deadline));
  ASSIGN_OR_RETURN(const auto reply, parse_hello<wire::HelloReply>(answered, connection));
  ASSIGN_OR_RETURN(const auto offer, parse_hello<wire::HelloOffer>(reply.offer(), connection));
  if (secret && reply.proof().empty()) {
    return fail(EACCES, "{}: has no secret, and this side has one", connection.peer_name());
  }
  if (!same(reply.proof(), secret.prove(kServer, said + reply.offer()))) {
    return fail(EACCES, "{}: {}", connection.peer_name(),
                secret ? "knows another secret; see cluster.secret_file"
                       : "wants a secret, and this side has none; see cluster.secret_file");
  }
  wire::HelloProof proof;
  proof.set_proof(secret.prove(kClient, said + reply.offer()));
  RETURN_IF_ERROR(send_hello(connection, proof, deadline));
  RETURN_IF_ERROR(receive_hello(connection, deadline));
  return Greeted{{static_cast<Role>(offer.role()), offer.node(), offer.cluster(), offer.epoch()},
                 static_cast<uint16_t>(offer.version()),
                 level};
}

Result<Greeted> answer(Connection& connection, const Party& self, const Secret& secret, Deadline deadline) {
  RETURN_IF_ERROR(connection.secure(deadline));
  const Result<std::string> first = receive_hello(connection, deadline);
  if (!first) {
    // Who speaks something else, TLS even, would not know why the connection ends, and try again.
    if (first.error().code == EPROTO) tell(connection, EPROTO, first.error().context, deadline);
    return Failure(first.error());
  }
  const std::string& said = *first;
  ASSIGN_OR_RETURN(const auto hello, parse_hello<wire::Hello>(said, connection));
  if (auto [code, reason] = objection(hello, self); code != 0) return refuse(connection, code, reason, deadline);
  wire::HelloOffer offer;
  offer.set_version(std::min<uint32_t>(versions().newest, hello.newest_version()));
  offer.set_cluster(self.cluster);
  offer.set_node(self.node);
  offer.set_role(static_cast<uint32_t>(self.role));
  offer.set_epoch(self.session);
  offer.set_nonce(new_nonce());
  wire::HelloReply reply;
  reply.set_offer(offer.SerializeAsString());
  reply.set_proof(secret.prove(kServer, said + reply.offer()));
  RETURN_IF_ERROR(send_hello(connection, reply, deadline));

  ASSIGN_OR_RETURN(const std::string answered, receive_hello(connection, deadline));
  ASSIGN_OR_RETURN(const auto proof, parse_hello<wire::HelloProof>(answered, connection));
  if (!same(proof.proof(), secret.prove(kClient, said + reply.offer()))) {
    return refuse(connection, EACCES, "it does not know the secret", deadline);
  }
  RETURN_IF_ERROR(connection.send(hello_header(), {}, {}, -1, deadline));
  return Greeted{{static_cast<Role>(hello.role()), hello.node(), hello.cluster(), hello.session()},
                 static_cast<uint16_t>(offer.version()),
                 static_cast<uint8_t>(hello.level())};
}

uint64_t random_number() {
  uint64_t number = 0;
  const int made = ::RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof(number));
  assert(made == 1);
  (void)made;
  return number;
}

}  // namespace forebay::transport
