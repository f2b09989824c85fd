#include "handles.h"

#include <fcntl.h>

namespace forebay::walk {

bool HandleInfo::readable() const { return (flags & O_ACCMODE) != O_WRONLY && !path_only(); }
bool HandleInfo::writable() const { return (flags & O_ACCMODE) != O_RDONLY && !path_only(); }
bool HandleInfo::direct() const { return (flags & O_DIRECT) != 0; }
bool HandleInfo::path_only() const { return (flags & O_PATH) != 0; }
bool HandleInfo::appends() const { return (flags & O_APPEND) != 0; }

int HandleTable::free_slot() const {
  for (int slot = 0; slot < kHandleSlots; ++slot)
    if (!(*this)[slot].open) return slot;
  return -1;
}

int HandleTable::free_map() const {
  for (int slot = 0; slot < kMapSlots; ++slot)
    if (!map(slot).open) return slot;
  return -1;
}

bool HandleTable::refers_to(uint64_t inode) const {
  for (const auto& handle : handles_)
    if (handle.open && handle.inode == inode) return true;
  for (const auto& map : maps_)
    if (map.open && map.inode == inode) return true;
  return false;
}

void HandleTable::clear() {
  handles_ = {};
  maps_ = {};
}

int HandleTable::pick_map(Random& random, bool writable) const {
  std::array<int, kMapSlots> found;
  int count = 0;
  for (int slot = 0; slot < kMapSlots; ++slot)
    if (map(slot).open && (map(slot).writable || !writable)) found.at(static_cast<size_t>(count++)) = slot;
  return count == 0 ? -1 : found.at(static_cast<size_t>(random.below(count)));
}

}  // namespace forebay::walk
