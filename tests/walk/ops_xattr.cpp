// setxattr, getxattr, listxattr, removexattr.
#include <sys/xattr.h>

#include "planner.h"
#include "side.h"
#include "xattrs.h"

namespace forebay::walk {
namespace {

// Paths of these calls go through /proc/self/fd: the longest would not fit.
constexpr size_t kLongestPath = 3900;

bool plan_target(Planner& p, Op& op) {
  p.target(op);
  return op.slot >= 0 || op.place.path.size() < kLongestPath;
}

std::string choose_name(Planner& p) {
  static const std::string names[] = {"user.a", "user.b", "user.color", "user.\xff\xfe",
                                      "user." + std::string(250, 'n')};
  static const std::string bad[] = {"user.", "bogus.name", "user." + std::string(251, 'n'), "user.none"};
  return p.random().percent(5) ? p.random().pick(bad) : p.random().pick(names);
}

bool plan_setxattr(Planner& p, Op& op) {
  static constexpr int kFlags[] = {0, 0, XATTR_CREATE, XATTR_REPLACE};
  if (!plan_target(p, op)) return false;
  op.name = choose_name(p);
  if (p.random().percent(25)) p.recall_xattr(op);
  op.flags = p.random().pick(kFlags);
  const int64_t kind = p.features().big_xattr ? p.random().below(100) : 0;
  int64_t length = p.random().below(100);
  if (kind > 85) length = p.random().below(2000);
  if (kind > 97) length = 65'530 + p.random().below(20);
  for (int64_t i = 0; i < length; ++i) op.value += static_cast<char>(i % 13 == 0 ? p.random().below(256) : i);
  return true;
}

void settle_set(Planner& p, const Op& op, const Outcome& outcome) {
  if (outcome.error == 0) p.remember_xattr(op);
}

void run_setxattr(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(XattrTarget(side, op).set(op.name.c_str(), op.value, static_cast<int>(op.flags)));
}

bool plan_getxattr(Planner& p, Op& op) {
  if (!p.recall_xattr(op)) {
    if (!plan_target(p, op)) return false;
    op.name = choose_name(p);
  }
  op.length = p.random().percent(80) ? kMaxTransfer / 4 : p.random().below(20);
  return true;
}

void run_getxattr(Side& side, const Op& op, Outcome& outcome) {
  char* buffer = side.scratch().read_buffer();
  const ssize_t count = XattrTarget(side, op).get(op.name.c_str(), buffer, static_cast<size_t>(op.length));
  if (outcome.take(count) && op.length > 0) outcome.bytes.assign(buffer, static_cast<size_t>(count));
}

void run_listxattr(Side& side, const Op& op, Outcome& outcome) {
  char* buffer = side.scratch().read_buffer();
  const ssize_t count = XattrTarget(side, op).list(buffer, 65'536);
  if (!outcome.take(count)) return;
  outcome.value = 0;
  for (const auto& name : split_names(buffer, static_cast<size_t>(count))) outcome.bytes += name + "\n";
}

bool plan_removexattr(Planner& p, Op& op) {
  if (p.recall_xattr(op)) return true;
  if (!plan_target(p, op)) return false;
  op.name = choose_name(p);
  return true;
}

void run_removexattr(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(XattrTarget(side, op).remove(op.name.c_str()));
}

}  // namespace

const OpTable& xattr_ops() {
  static const OpTable table = {
      {"setxattr", 16, Effect::kNamespace, Risk::kNone, plan_setxattr, run_setxattr, settle_set},
      {"getxattr", 12, Effect::kNone, Risk::kNone, plan_getxattr, run_getxattr},
      {"listxattr", 7, Effect::kNone, Risk::kNone, plan_target, run_listxattr},
      {"removexattr", 7, Effect::kNamespace, Risk::kNone, plan_removexattr, run_removexattr},
  };
  return table;
}

}  // namespace forebay::walk
