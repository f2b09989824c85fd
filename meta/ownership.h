// Ownership: which metadata server has what.
//
// A directory belongs to one of them by its identity, for good: everybody can work that out, and nobody has to be
// asked. A file belongs to who has the directory in which it was seen first, and stays with him when it is moved; a
// server notes which objects in its directories are another's (Store, foreign_object). Files with several links, which
// may be seen first in several directories, are asked for at one server, their home.
#pragma once

#include <functional>
#include <memory>

#include "core/protocol/meta_peer_service.h"

namespace forebay::meta {

class Ownership {
 public:
  // Another server; ENXIO.
  using Reach = std::function<Result<std::shared_ptr<MetaPeerService>>(uint32_t server)>;

  // There is one server.
  Ownership() = default;
  // `self` of `servers`. Numbers begin with 0, which has the root, and all that is transient.
  Ownership(uint32_t self, uint32_t servers, Reach reach) : self_(self), servers_(servers), reach_(std::move(reach)) {}

  bool alone() const { return servers_ == 1; }
  uint32_t self() const { return self_; }
  uint32_t servers() const { return servers_; }
  bool is_own(InodeId id) const { return alone() || owner_of(id) == self_; }
  uint32_t of_directory(const Identity& identity) const;
  // Who knows who has a file with several links.
  uint32_t home_of(const Identity& identity) const { return of_directory(identity); }
  // ENXIO: there is no such server, or it is this one.
  Result<std::shared_ptr<MetaPeerService>> peer(uint32_t server) const;

 private:
  uint32_t self_ = 0, servers_ = 1;
  Reach reach_;
};

}  // namespace forebay::meta
