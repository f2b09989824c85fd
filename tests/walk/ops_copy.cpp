// copy_file_range and sendfile between open files. The target is in `slot`, the source in `slot2`.
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

constexpr int64_t kExplicitSource = 1;
constexpr int64_t kExplicitTarget = 2;

bool fits(const HandleInfo& handle) { return handle.is_file() && !handle.direct() && !handle.path_only(); }

bool plan_slots(Planner& p, Op& op) {
  const bool odd = p.random().percent(8);
  op.slot = p.handles().pick(p.random(), [&](const HandleInfo& h) { return fits(h) && (h.writable() || odd); });
  op.slot2 = p.handles().pick(p.random(), [&](const HandleInfo& h) { return fits(h) && (h.readable() || odd); });
  return op.slot >= 0 && op.slot2 >= 0;
}

bool target_stays_small(Planner& p, const Op& op, int64_t from) {
  return from + op.length <= p.options().max_file_bytes;
}

bool plan_copy_range(Planner& p, Op& op) {
  if (!plan_slots(p, op)) return false;
  op.flags = p.random().below(4);
  Op source;
  source.slot = op.slot2;
  p.choose_range(source);
  op.length = source.length;
  op.offset2 = source.offset;
  p.choose_range(op);
  if (p.random().percent(1)) op.length = 0;
  op.check_position = true;
  const bool explicit_target = (op.flags & kExplicitTarget) != 0;
  return target_stays_small(p, op, explicit_target ? op.offset : ::lseek(p.model().fd(op.slot), 0, SEEK_CUR));
}

// Any file system may copy less than asked for at a time; what counts is the sum.
void run_copy_range(Side& side, const Op& op, Outcome& outcome) {
  off_t from = op.offset2;
  off_t to = op.offset;
  int64_t left = op.length;
  do {
    const ssize_t copied =
        ::copy_file_range(side.fd(op.slot2), (op.flags & kExplicitSource) != 0 ? &from : nullptr, side.fd(op.slot),
                          (op.flags & kExplicitTarget) != 0 ? &to : nullptr, static_cast<size_t>(left), 0);
    if (copied < 0) outcome.error = errno;
    if (copied <= 0) break;
    outcome.value += copied;
    left -= copied;
  } while (left > 0);
}

// Within one file the result would depend on the size of the pieces.
bool plan_sendfile(Planner& p, Op& op) {
  if (!plan_slots(p, op) || p.handles()[op.slot].inode == p.handles()[op.slot2].inode) return false;
  Op source;
  source.slot = op.slot2;
  p.choose_range(source);
  op.length = source.length;
  op.offset2 = source.offset;
  op.check_position = true;
  return target_stays_small(p, op, ::lseek(p.model().fd(op.slot), 0, SEEK_CUR));
}

void run_sendfile(Side& side, const Op& op, Outcome& outcome) {
  off_t from = op.offset2;
  int64_t left = op.length;
  do {
    const ssize_t sent = ::sendfile(side.fd(op.slot), side.fd(op.slot2), &from, static_cast<size_t>(left));
    if (sent < 0) outcome.error = errno;
    if (sent <= 0) break;
    outcome.value += sent;
    left -= sent;
  } while (left > 0);
}

}  // namespace

const OpTable& copy_ops() {
  static const OpTable table = {
      {"copy_file_range", 14, Effect::kContent, Risk::kNone, plan_copy_range, run_copy_range},
      {"sendfile", 6, Effect::kContent, Risk::kNone, plan_sendfile, run_sendfile},
  };
  return table;
}

}  // namespace forebay::walk
