// flock, and fcntl locks of both kinds, between the handles of one thread; never waiting.
#include <fcntl.h>
#include <sys/file.h>

#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

bool plan_flock(Planner& p, Op& op) {
  static constexpr int kWays[] = {LOCK_SH, LOCK_EX, LOCK_UN};
  op.slot = p.twin_slot();
  op.flags = p.random().pick(kWays) | LOCK_NB;
  return op.slot >= 0;
}

void run_flock(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::flock(side.fd(op.slot), static_cast<int>(op.flags)));
}

bool plan_lock(Planner& p, Op& op) {
  static constexpr int kWays[] = {F_RDLCK, F_WRLCK, F_UNLCK};
  static constexpr int kCommands[] = {F_SETLK, F_OFD_SETLK, F_OFD_SETLK, F_GETLK, F_OFD_GETLK};
  static constexpr int kNumbers[] = {0, 1, 10, 100, 1000};
  op.slot = p.twin_slot();
  op.mode = p.random().pick(kWays);
  op.flags = p.random().pick(kCommands);
  if ((op.flags == F_GETLK || op.flags == F_OFD_GETLK) && op.mode == F_UNLCK) op.mode = F_WRLCK;
  op.offset = p.random().pick(kNumbers);
  op.length = p.random().pick(kNumbers);
  return op.slot >= 0;
}

void run_lock(Side& side, const Op& op, Outcome& outcome) {
  struct flock lock = {};
  lock.l_type = static_cast<short>(op.mode);
  lock.l_whence = SEEK_SET;
  lock.l_start = op.offset;
  lock.l_len = op.length;
  outcome.take(::fcntl(side.fd(op.slot), static_cast<int>(op.flags), &lock));
  if (outcome.error != 0 || op.flags == F_SETLK || op.flags == F_OFD_SETLK) return;
  // Which of several conflicting locks is told is not laid down; whether there is one is.
  outcome.bytes = lock.l_type == F_UNLCK ? "free" : "taken";
}

}  // namespace

const OpTable& lock_ops() {
  static const OpTable table = {
      {"flock", 8, Effect::kNone, Risk::kNone, plan_flock, run_flock},
      {"lock", 12, Effect::kNone, Risk::kNone, plan_lock, run_lock},
  };
  return table;
}

}  // namespace forebay::walk
