// mkdir, rmdir, unlink, rename in all its kinds, link.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

// A chain of directories with the longest names, so that its end lies near the limit of a path.
void plan_deep_chain(Planner& p) {
  const auto depth = 10 + p.random().below(6);
  Op op;
  op.type = find_op_type("mkdir");
  op.mode = 0755;
  op.place.path = "deep";
  for (int64_t level = 0; level <= depth && op.place.path.size() < 3950; ++level) {
    p.enqueue(op);
    op.place.path += "/" + std::string(static_cast<size_t>(level + 1 < 15 ? 255 : 100), static_cast<char>('A' + level));
  }
}

bool plan_mkdir(Planner& p, Op& op) {
  if (p.features().deep_path && p.random().per_mille(3)) plan_deep_chain(p);
  op.place = p.random().percent(80) ? p.fresh() : p.any();
  op.mode = p.random().percent(80) ? 0755 : (p.file_mode() | 0700);
  return true;
}

void run_mkdir(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::mkdirat(side.base(op.place), op.place.path.c_str(), static_cast<mode_t>(op.mode)));
}

bool plan_rmdir(Planner& p, Op& op) {
  op.place = p.random().percent(60) ? p.directory() : p.any();
  return op.place.path != ".";
}

void run_rmdir(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::unlinkat(side.base(op.place), op.place.path.c_str(), AT_REMOVEDIR));
}

bool plan_unlink(Planner& p, Op& op) {
  op.place = p.any();
  return true;
}

void run_unlink(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::unlinkat(side.base(op.place), op.place.path.c_str(), 0));
}

bool plan_rename(Planner& p, Op& op) {
  const int64_t kind = p.random().below(100);
  op.flags = kind < 65   ? 0
             : kind < 80 ? RENAME_NOREPLACE
             : kind < 99 ? RENAME_EXCHANGE
                         : RENAME_EXCHANGE | RENAME_NOREPLACE;
  op.place = p.random().percent(85) ? p.existing() : p.any();
  op.place2 = op.flags == RENAME_EXCHANGE || p.random().percent(45) ? p.any() : p.fresh();
  if (p.random().percent(2)) op.place2 = {op.place.base, op.place.path + "/b"};
  if (p.random().percent(2)) op.place2 = op.place;
  if (p.random().percent(5)) {  // a directory over a directory
    op.place = p.directory();
    op.place2 = p.directory();
  }
  const bool exchange = (op.flags & RENAME_EXCHANGE) != 0;
  if (p.leads_astray(op.place, op.place2) || (exchange && p.leads_astray(op.place2, op.place))) op.place2 = op.place;
  return true;
}

void run_rename(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::renameat2(side.base(op.place), op.place.path.c_str(), side.base(op.place2), op.place2.path.c_str(),
                           static_cast<unsigned>(op.flags)));
  // For a directory that is not empty POSIX permits both; XFS says one, ext4 the other.
  if (op.flags == 0 && outcome.error == EEXIST) outcome.error = ENOTEMPTY;
}

bool plan_link(Planner& p, Op& op) {
  op.place = p.random().percent(85) ? p.file() : p.any();
  op.place2 = p.random().percent(80) ? p.fresh() : p.any();
  if (p.random().percent(20)) op.flags = AT_SYMLINK_FOLLOW;
  if (p.leads_astray(op.place, op.place2)) op.place2 = op.place;
  return true;
}

void run_link(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::linkat(side.base(op.place), op.place.path.c_str(), side.base(op.place2), op.place2.path.c_str(),
                        static_cast<int>(op.flags)));
}

}  // namespace

const OpTable& namespace_ops() {
  static const OpTable table = {
      {"mkdir", 26, Effect::kNamespace, Risk::kNone, plan_mkdir, run_mkdir},
      {"rmdir", 14, Effect::kNamespace, Risk::kPlace, plan_rmdir, run_rmdir},
      {"unlink", 35, Effect::kNamespace, Risk::kPlace, plan_unlink, run_unlink},
      {"rename", 45, Effect::kNamespace, Risk::kPlace2, plan_rename, run_rename},
      {"link", 18, Effect::kNamespace, Risk::kNone, plan_link, run_link},
  };
  return table;
}

}  // namespace forebay::walk
