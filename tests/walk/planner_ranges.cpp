// How the planner chooses handles, offsets, lengths and sizes.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "planner.h"

namespace forebay::walk {
namespace {

constexpr int64_t kChunk = 512 << 10;  // the cache's default chunk: its borders are of interest
constexpr int64_t kMiB = 1 << 20;

}  // namespace

int Planner::readable_slot() {
  const int slot =
      handles_.pick(random_, [](const HandleInfo& handle) { return handle.is_file() && handle.readable(); });
  return slot < 0 || random_.percent(4) ? any_slot() : slot;
}

int Planner::writable_slot() {
  const int slot =
      handles_.pick(random_, [](const HandleInfo& handle) { return handle.is_file() && handle.writable(); });
  return slot < 0 || random_.percent(4) ? any_slot() : slot;
}

// The position of an O_DIRECT handle may be unaligned, and that of a directory means nothing: what such reads give
// differs between file systems.
int Planner::streaming_slot(bool for_writing) {
  const int slot = handles_.pick(random_, [&](const HandleInfo& handle) {
    return handle.is_file() && !handle.direct() && (for_writing ? handle.writable() : handle.readable());
  });
  if (slot >= 0 && !random_.percent(4)) return slot;
  return handles_.pick(random_, [](const HandleInfo& handle) { return !handle.direct() && !handle.is_directory(); });
}

int Planner::file_slot() {
  return handles_.pick(random_, [](const HandleInfo& handle) { return handle.is_file() && !handle.path_only(); });
}

int Planner::any_slot() {
  return handles_.pick(random_, [](const HandleInfo&) { return true; });
}

int Planner::attribute_slot() {
  return handles_.pick(random_, [&](const HandleInfo& handle) { return handle.inode != thread_root_inode_; });
}

int Planner::twin_slot() {
  const int slot = handles_.pick(random_, [&](const HandleInfo& handle) {
    if (!handle.is_file() || handle.path_only()) return false;
    int count = 0;
    for (int other = 0; other < kHandleSlots; ++other)
      if (handles_[other].open && handles_[other].inode == handle.inode) ++count;
    return count > 1;
  });
  return slot < 0 ? file_slot() : slot;
}

int64_t Planner::size_of(int slot) {
  struct stat status;
  return ::fstat(model_.fd(slot), &status) == 0 ? status.st_size : 0;
}

// Every order of magnitude alike.
int64_t Planner::transfer_length() {
  const int64_t magnitude = int64_t{1} << random_.below(18);
  return std::min(kMaxTransfer, magnitude + random_.below(magnitude + 1));
}

int64_t Planner::new_size(int64_t old_size) {
  int64_t size = 0;
  const int64_t kind = random_.below(100);
  if (kind < 8)
    size = 0;
  else if (kind < 40)
    size = random_.below(old_size + 1);
  else if (kind < 65)
    size = old_size + random_.below(100'000);
  else if (kind < 80)
    size = random_.below(kMiB);
  else if (kind < 92)
    size = random_.below(64) * kPage;
  else if (kind < 95)
    size = old_size;
  else if (kind < 98)
    size = (1 + random_.below(4)) * kChunk + random_.below(3) - 1;
  else
    size = random_.below(options_.max_file_bytes);
  return std::min(size, options_.max_file_bytes);
}

void Planner::choose_range(Op& op) {
  const int64_t size = handles_[op.slot].is_directory() ? 0 : size_of(op.slot);
  if (op.length == 0) op.length = transfer_length();
  const int64_t kind = random_.below(100);
  if (kind < 40)
    op.offset = random_.below(size + 1);
  else if (kind < 50)
    op.offset = size;
  else if (kind < 60)
    op.offset = size + random_.below(8192);
  else if (kind < 70)
    op.offset = (1 + random_.below(3)) * kChunk - random_.below(op.length + 1);
  else if (kind < 80)
    op.offset = random_.below(256) * kPage;
  else if (kind < 92)
    op.offset = random_.below(64 << 10);
  else if (kind < 99)
    op.offset = random_.below(kMiB);
  else
    op.offset = random_.below(options_.max_file_bytes);
  op.offset = std::max<int64_t>(0, std::min(op.offset, options_.max_file_bytes - op.length));
  if (!handles_[op.slot].direct()) return;
  op.offset -= op.offset % kPage;
  op.length = std::min(kMaxTransfer, (op.length + kPage - 1) / kPage * kPage);
}

mode_t Planner::file_mode() {
  static constexpr mode_t kCommon[] = {0644, 0600, 0666, 0640, 0755, 0700, 0777};
  static constexpr mode_t kRare[] = {0444, 0400, 0222, 0111, 0000, 0070, 0707};
  static constexpr mode_t kSpecial[] = {04755, 02755, 06777, 02644, 01777, 04711};
  if (features().suid && random_.percent(10)) return random_.pick(kSpecial);
  return random_.percent(8) ? random_.pick(kRare) : random_.pick(kCommon);
}

}  // namespace forebay::walk
