// What is open on both sides in the same slots.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <string>

#include "random.h"
#include "side.h"

namespace forebay::walk {

struct HandleInfo {
  bool open = false;
  int64_t flags = 0;
  mode_t type = 0;
  uint64_t inode = 0;  // of the model
  Place place;         // as it was opened; it may lead elsewhere by now

  bool is_file() const { return S_ISREG(type); }
  bool is_directory() const { return S_ISDIR(type); }
  bool readable() const;
  bool writable() const;
  bool direct() const;
  bool path_only() const;
  bool appends() const;
};

struct MapInfo {
  bool open = false;
  bool writable = false;
  uint64_t inode = 0;
  int64_t offset = 0;  // in the file
  int64_t length = 0;
};

class HandleTable {
 public:
  HandleInfo& operator[](int slot) { return handles_.at(static_cast<size_t>(slot)); }
  const HandleInfo& operator[](int slot) const { return handles_.at(static_cast<size_t>(slot)); }
  MapInfo& map(int slot) { return maps_.at(static_cast<size_t>(slot)); }
  const MapInfo& map(int slot) const { return maps_.at(static_cast<size_t>(slot)); }

  // -1 if there is none.
  int free_slot() const;
  int free_map() const;
  bool refers_to(uint64_t inode) const;
  void clear();

  template <typename Predicate>
  int pick(Random& random, Predicate&& fits) const {
    std::array<int, kHandleSlots> found;
    int count = 0;
    for (int slot = 0; slot < kHandleSlots; ++slot)
      if ((*this)[slot].open && fits((*this)[slot])) found.at(static_cast<size_t>(count++)) = slot;
    return count == 0 ? -1 : found.at(static_cast<size_t>(random.below(count)));
  }
  int pick_map(Random& random, bool writable) const;

 private:
  std::array<HandleInfo, kHandleSlots> handles_;
  std::array<MapInfo, kMapSlots> maps_;
};

}  // namespace forebay::walk
