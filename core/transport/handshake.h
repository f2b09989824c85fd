// Handshake: both ends make the connection secure if it is one with TLS, agree on a version, and prove to each other
// that they know the shared secret, before anything else is said. The secret itself is never sent; both nonces are part
// of what is proved, so that nothing can be replayed.
#pragma once

#include "core/transport/connection.h"

namespace forebay::transport {

enum class Role : uint32_t { kClient = 1, kMeta = 2, kStorage = 3, kManagement = 4 };
std::string_view role_name(Role role);

// Requests wait for requests: a client for a storage server, which waits for a metadata server, which evicts, ... A
// request's level is how many wait for it. Servers have threads for each level, so that those who wait cannot take the
// threads of those they wait for. More than this no chain has.
constexpr uint8_t kLevels = 8;

// Who is at one end.
struct Party {
  Role role = Role::kClient;
  std::string node;
  std::string cluster;   // empty in a client that does not know yet
  uint64_t session = 0;  // of a client process; of a server, its epoch
};

class Secret {
 public:
  Secret() = default;
  // The whole content of a file, without a line end. EINVAL when it is shorter than 16 bytes or others can read it.
  static Result<Secret> read(const std::string& path);
  explicit Secret(std::string key) : key_(std::move(key)) {}

  explicit operator bool() const { return !key_.empty(); }
  std::string prove(std::string_view label, std::string_view said) const;

 private:
  std::string key_;
};

struct Greeted {
  Party peer;
  uint16_t version = 0;
  uint8_t level = 0;
};

// The client's part. EACCES: one knows the secret and the other does not, or another one; EPROTO: no common version;
// EXDEV: another cluster; and errors of the connection, see Connection::secure().
Result<Greeted> greet(Connection& connection, const Party& self, const Secret& secret, uint8_t level,
                      Deadline deadline);
// The server's part; the client is told why it is refused. The same errors.
Result<Greeted> answer(Connection& connection, const Party& self, const Secret& secret, Deadline deadline);

// A number that nobody else has.
uint64_t random_number();

}  // namespace forebay::transport
