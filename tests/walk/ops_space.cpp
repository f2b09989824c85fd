// ftruncate, truncate, fallocate.
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

bool plan_ftruncate(Planner& p, Op& op) {
  op.slot = p.writable_slot();
  if (op.slot < 0) return false;
  op.length = p.new_size(p.size_of(op.slot));
  if (p.random().per_mille(5)) op.length = -1;
  return true;
}

void run_ftruncate(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::ftruncate(side.fd(op.slot), op.length));
}

bool plan_truncate(Planner& p, Op& op) {
  op.place = p.file();
  if (op.place.path.size() > 3900) return false;  // its absolute path would be too long
  struct stat status;
  const bool found = ::fstatat(p.model().base(op.place), op.place.path.c_str(), &status, 0) == 0;
  op.length = p.new_size(found ? status.st_size : 0);
  // To its own size: whether that stamps the file is not laid down. (For ftruncate Linux does: it always stamps.)
  if (found && op.length == status.st_size) ++op.length;
  return true;
}

void run_truncate(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::truncate(side.absolute(op.place).c_str(), op.length));
}

bool plan_fallocate(Planner& p, Op& op) {
  static constexpr int kModes[] = {0,
                                   FALLOC_FL_KEEP_SIZE,
                                   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   FALLOC_FL_ZERO_RANGE,
                                   FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                   FALLOC_FL_PUNCH_HOLE};
  op.slot = p.writable_slot();
  if (op.slot < 0) return false;
  op.flags = p.random().pick(kModes);
  p.choose_range(op);
  if (p.random().percent(1)) op.length = 0;
  return true;
}

void run_fallocate(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::fallocate(side.fd(op.slot), static_cast<int>(op.flags), op.offset, op.length));
}

}  // namespace

const OpTable& space_ops() {
  static const OpTable table = {
      {"ftruncate", 20, Effect::kContent, Risk::kNone, plan_ftruncate, run_ftruncate},
      {"truncate", 14, Effect::kContent, Risk::kNone, plan_truncate, run_truncate},
      {"fallocate", 28, Effect::kContent, Risk::kNone, plan_fallocate, run_fallocate},
  };
  return table;
}

}  // namespace forebay::walk
