// The walker's books on inodes: which operation is about which, when one is gone, whose mtime is open.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

#include "walker.h"

namespace forebay::walk {
namespace {

bool is_type(const Op& op, const char* name) { return ::strcmp(op.type->name, name) == 0; }

uint64_t inode_at(const Side& side, const Place& place, int flags) {
  struct stat status;
  if (::fstatat(side.base(place), place.path.c_str(), &status, flags) != 0) return 0;
  return status.st_ino;
}

}  // namespace

// Only for the report, so cheap: handles are known, paths are compared as text.
uint64_t Walker::inode_of(const Op& op) const {
  if (op.slot >= 0) return handles_[op.slot].inode;
  return op.slot2 >= 0 && op.slot2 < kMapSlots ? handles_.map(op.slot2).inode : 0;
}

// The inode that may lose its last name or its last handle by this operation; 0 if none.
uint64_t Walker::inode_at_risk(const Op& op) const {
  struct stat status;
  switch (op.type->risk) {
    case Risk::kNone:
      return 0;
    case Risk::kSlot:
      return ::fstat(model_.fd(op.slot), &status) == 0 && status.st_nlink == 0 ? status.st_ino : 0;
    case Risk::kMap:
      return ::fstat(model_.mapped_file(op.slot2), &status) == 0 && status.st_nlink == 0 ? status.st_ino : 0;
    case Risk::kPlace:
    case Risk::kPlace2:
      break;
  }
  const Place& place = op.type->risk == Risk::kPlace ? op.place : op.place2;
  if (::fstatat(model_.base(place), place.path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  if (!S_ISDIR(status.st_mode) && status.st_nlink > 1) return 0;
  // Renamed onto itself, or exchanged: nothing is lost.
  if (op.type->risk == Risk::kPlace2 && (op.flags & RENAME_EXCHANGE) != 0) return 0;
  if (op.type->risk == Risk::kPlace2 && inode_at(model_, op.place, AT_SYMLINK_NOFOLLOW) == status.st_ino) return 0;
  return status.st_ino;
}

void Walker::forget_if_gone(uint64_t inode) {
  if (handles_.refers_to(inode)) return;
  identity_.forget(inode);
  open_mtimes_.erase(inode);
}

// A store through a mapping may be stamped as late as the next sync; any other change settles the matter.
void Walker::track_open_mtime(const Op& op) {
  if (is_type(op, "map_write") && (op.flags & MS_SYNC) == 0 && model_outcome_.value > 0) {
    open_mtimes_.insert(handles_[op.slot].inode);
    return;
  }
  if (open_mtimes_.empty() || model_outcome_.error != 0) return;
  const bool changed = op.type->effect == Effect::kContent &&
                       (model_outcome_.value > 0 || is_type(op, "ftruncate") || is_type(op, "fallocate"));
  const bool set = is_type(op, "utimens") && op.modify_nanoseconds != UTIME_OMIT;
  const bool settles = changed || set || is_type(op, "fsync") || is_type(op, "fdatasync");
  if (!settles) return;
  if (op.slot >= 0)
    open_mtimes_.erase(handles_[op.slot].inode);
  else if (!op.place.path.empty())
    open_mtimes_.erase(inode_at(model_, op.place, 0));
}

}  // namespace forebay::walk
