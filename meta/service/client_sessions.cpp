#include "meta/service/client_sessions.h"

#include <fcntl.h>

#include <algorithm>

namespace forebay::meta {

ClientSessions::Holdings* ClientSessions::find(uint64_t session) {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : &found->second;
}

void ClientSessions::drop_if_empty(uint64_t session) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end() && found->second.empty()) sessions_.erase(found);
}

void ClientSessions::looked_up(uint64_t session, InodeId id) {
  const std::lock_guard lock(mutex_);
  ++sessions_[session].lookups[id];
}

uint64_t ClientSessions::forget(uint64_t session, InodeId id, uint64_t count) {
  const std::lock_guard lock(mutex_);
  Holdings* const held = find(session);
  if (held == nullptr) return 0;
  const auto found = held->lookups.find(id);
  if (found == held->lookups.end()) return 0;
  const uint64_t had = std::min(found->second, count);
  found->second -= had;
  if (found->second == 0) held->lookups.erase(found);
  drop_if_empty(session);
  return had;
}

void ClientSessions::opened(uint64_t session, InodeId id, int flags) {
  const std::lock_guard lock(mutex_);
  ++sessions_[session].opens[{id, flags & O_ACCMODE}];
}

bool ClientSessions::released(uint64_t session, InodeId id, int flags) {
  const std::lock_guard lock(mutex_);
  Holdings* const held = find(session);
  if (held == nullptr) return false;
  const auto found = held->opens.find({id, flags & O_ACCMODE});
  if (found == held->opens.end()) return false;
  if (--found->second == 0) held->opens.erase(found);
  drop_if_empty(session);
  return true;
}

HandleCounts ClientSessions::handles(uint64_t session, InodeId id) {
  const std::lock_guard lock(mutex_);
  HandleCounts counts{};
  const Holdings* const held = find(session);
  if (held == nullptr) return counts;
  for (size_t mode = 0; mode < counts.size(); ++mode) {
    const auto found = held->opens.find({id, static_cast<int>(mode)});
    if (found != held->opens.end()) counts[mode] = found->second;
  }
  return counts;
}

void ClientSessions::opened_directory(uint64_t session, uint64_t handle) {
  const std::lock_guard lock(mutex_);
  sessions_[session].directories.insert(handle);
}

bool ClientSessions::has_directory(uint64_t session, uint64_t handle) {
  const std::lock_guard lock(mutex_);
  const Holdings* const held = find(session);
  return held != nullptr && held->directories.contains(handle);
}

bool ClientSessions::released_directory(uint64_t session, uint64_t handle) {
  const std::lock_guard lock(mutex_);
  Holdings* const held = find(session);
  if (held == nullptr || held->directories.erase(handle) == 0) return false;
  drop_if_empty(session);
  return true;
}

ClientSessions::Holdings ClientSessions::end(uint64_t session) {
  const std::lock_guard lock(mutex_);
  auto node = sessions_.extract(session);
  return node ? std::move(node.mapped()) : Holdings{};
}

size_t ClientSessions::count() {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace forebay::meta
