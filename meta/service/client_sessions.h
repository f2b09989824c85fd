// ClientSessions: what each client holds here, so that it can be given back when the client is gone; and so that none
// gives back what another holds.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/protocol/types.h"

namespace forebay::meta {

// Thread safe.
class ClientSessions {
 public:
  struct Holdings {
    std::unordered_map<InodeId, uint64_t> lookups;
    // By inode and access mode: the other flags are not the same at the end of every client's handles.
    std::map<std::pair<InodeId, int>, uint64_t> opens;
    std::set<uint64_t> directories;  // handles

    bool empty() const { return lookups.empty() && opens.empty() && directories.empty(); }
  };

  void looked_up(uint64_t session, InodeId id);
  // How many of `count` it had; it has them no more.
  uint64_t forget(uint64_t session, InodeId id, uint64_t count);

  void opened(uint64_t session, InodeId id, int flags);
  // False: it did not have it open so.
  bool released(uint64_t session, InodeId id, int flags);

  // Of the file, by this client.
  HandleCounts handles(uint64_t session, InodeId id);

  void opened_directory(uint64_t session, uint64_t handle);
  bool has_directory(uint64_t session, uint64_t handle);
  bool released_directory(uint64_t session, uint64_t handle);

  // All that it holds; it holds nothing any more.
  Holdings end(uint64_t session);
  size_t count();

 private:
  // The session's; or null, if it holds nothing. The caller holds mutex_.
  Holdings* find(uint64_t session);
  void drop_if_empty(uint64_t session);

  std::mutex mutex_;
  std::unordered_map<uint64_t, Holdings> sessions_;
};

}  // namespace forebay::meta
