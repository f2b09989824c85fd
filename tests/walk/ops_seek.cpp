// lseek to absolute and relative positions, SEEK_DATA and SEEK_HOLE.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "options.h"
#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

constexpr int64_t kStrict = 1;
constexpr int64_t kUnreadable = 2;

bool plan_lseek(Planner& p, Op& op) {
  static constexpr int kWhence[] = {SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END};
  op.slot = p.any_slot();
  if (op.slot < 0) return false;
  const HandleInfo& handle = p.handles()[op.slot];
  if (handle.is_directory()) return true;  // to the start: other positions mean nothing
  op.flags = p.random().pick(kWhence);
  op.offset = p.random().below(p.size_of(op.slot) + 5000);
  if (op.flags != SEEK_SET && p.random().percent(60)) op.offset = -op.offset;
  if (op.flags == SEEK_CUR) op.offset /= 4;
  if (p.random().percent(2)) op.offset = -1;
  return true;
}

void run_lseek(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::lseek(side.fd(op.slot), op.offset, static_cast<int>(op.flags)));
}

bool plan_seek_hole(Planner& p, Op& op) {
  op.slot = p.file_slot();
  if (op.slot < 0) return false;
  op.mode = p.random().percent(50) ? SEEK_DATA : SEEK_HOLE;
  const int64_t size = p.size_of(op.slot);
  op.offset = p.random().percent(20) ? size + p.random().below(3) : p.random().below(size + 1);
  op.offset2 = p.random().below(size + 1);
  if (p.options().strict_holes) op.flags |= kStrict;
  if (!p.handles()[op.slot].readable() || p.handles()[op.slot].direct()) op.flags |= kUnreadable;
  return true;
}

// The offset of a byte that is not zero in [from, to), or -1. Looks at the beginning and the end of long ranges.
int64_t find_nonzero(Side& side, int fd, int64_t from, int64_t to) {
  constexpr int64_t kBeginning = 4 << 20;
  char* buffer = side.scratch().read_buffer();
  const int64_t start = from;
  while (from < to) {
    if (from - start >= kBeginning) from = std::max(from, to - kMaxTransfer);
    const ssize_t count = ::pread(fd, buffer, static_cast<size_t>(std::min(kMaxTransfer, to - from)), from);
    if (count <= 0) return from;
    const char* end = buffer + count;
    const char* found = std::find_if(buffer, buffer + count, [](char byte) { return byte != 0; });
    if (found != end) return from + (found - buffer);
    from += count;
  }
  return -1;
}

void check_hole(Side& side, const Op& op, int64_t from, int64_t to, Outcome& outcome) {
  if ((op.flags & kUnreadable) != 0) return;
  const int64_t at = find_nonzero(side, side.fd(op.slot), from, to);
  if (at >= 0) outcome.fault = fmt::format("[{}, {}) is reported as a hole, but there is data at {}", from, to, at);
}

void check_data_answer(Side& side, const Op& op, int64_t size, int64_t found, int error, Outcome& outcome) {
  if (found < 0 && error != ENXIO)
    outcome.error = error;
  else if (found < 0)
    check_hole(side, op, op.offset, size, outcome);
  else if (found < op.offset || found >= size)
    outcome.fault = fmt::format("SEEK_DATA from {} gives {}, the size is {}", op.offset, found, size);
  else
    check_hole(side, op, op.offset, found, outcome);
}

void check_hole_answer(Side& side, const Op& op, int64_t size, int64_t found, int error, Outcome& outcome) {
  if (found < 0) {
    outcome.error = error;
    return;
  }
  if (found < op.offset || found > size) {
    outcome.fault = fmt::format("SEEK_HOLE from {} gives {}, the size is {}", op.offset, found, size);
    return;
  }
  if (found == size) return;
  const int64_t data = ::lseek(side.fd(op.slot), found, SEEK_DATA);
  if (data == found)
    outcome.fault = fmt::format("{} is reported both as hole and as data", found);
  else
    check_hole(side, op, found, data < 0 ? size : data, outcome);
}

// Allocation is the file system's own affair, so the answers may differ; each must be true of its own side.
void run_seek_hole(Side& side, const Op& op, Outcome& outcome) {
  const int fd = side.fd(op.slot);
  const int64_t size = ::lseek(fd, 0, SEEK_END);
  const int64_t found = ::lseek(fd, op.offset, static_cast<int>(op.mode));
  const int error = found < 0 ? errno : 0;
  if ((op.flags & kStrict) != 0 || op.offset >= size) {
    outcome.value = found;
    outcome.error = error;
  } else if (op.mode == SEEK_DATA) {
    check_data_answer(side, op, size, found, error, outcome);
  } else {
    check_hole_answer(side, op, size, found, error, outcome);
  }
  ::lseek(fd, op.offset2, SEEK_SET);
}

}  // namespace

const OpTable& seek_ops() {
  static const OpTable table = {
      {"lseek", 25, Effect::kNone, Risk::kNone, plan_lseek, run_lseek},
      {"seek_hole", 12, Effect::kNone, Risk::kNone, plan_seek_hole, run_seek_hole},
  };
  return table;
}

}  // namespace forebay::walk
