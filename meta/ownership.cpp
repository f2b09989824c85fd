#include "meta/ownership.h"

#include <xxhash.h>

#include <array>

namespace forebay::meta {

// The same on all nodes, and with every version of this program.
uint32_t Ownership::of_directory(const Identity& identity) const {
  if (alone()) return self_;
  const std::array<uint64_t, 3> words = {identity.device, identity.inode,
                                         static_cast<uint64_t>(identity.birth.total_nanoseconds())};
  return static_cast<uint32_t>(XXH3_64bits(words.data(), sizeof(words)) % servers_);
}

Result<std::shared_ptr<MetaPeerService>> Ownership::peer(uint32_t server) const {
  if (server >= servers_ || server == self_) return fail(ENXIO, "there is no other metadata server {}", server);
  return reach_(server);
}

}  // namespace forebay::meta
