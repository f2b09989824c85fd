// POSIX access control lists, in the kernel's own form: set, get, remove; what they pass on shows in later creates.
#include <fcntl.h>
#include <linux/posix_acl_xattr.h>

#include <cerrno>
#include <cstring>

#include "credentials.h"
#include "planner.h"
#include "side.h"
#include "xattrs.h"

namespace forebay::walk {
namespace {

constexpr uint16_t kUserObject = 0x01;
constexpr uint16_t kUser = 0x02;
constexpr uint16_t kGroupObject = 0x04;
constexpr uint16_t kGroup = 0x08;
constexpr uint16_t kMask = 0x10;
constexpr uint16_t kOther = 0x20;
constexpr uint32_t kNoId = ~uint32_t{0};

class AclValue {
 public:
  AclValue() { append32(POSIX_ACL_XATTR_VERSION); }

  void add(uint16_t tag, int64_t permissions, uint32_t id = kNoId) {
    append16(tag);
    append16(static_cast<uint16_t>(permissions));
    append32(id);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void append16(uint16_t number) {
    bytes_ += static_cast<char>(number & 0xff);
    bytes_ += static_cast<char>(number >> 8);
  }
  void append32(uint32_t number) {
    append16(static_cast<uint16_t>(number & 0xffff));
    append16(static_cast<uint16_t>(number >> 16));
  }
  std::string bytes_;
};

std::string choose_acl(Planner& p) {
  Random& random = p.random();
  AclValue acl;
  bool named = false;
  acl.add(kUserObject, 4 | random.below(8));
  if (random.percent(50)) {
    acl.add(kUser, random.below(8), 1001);
    named = true;
  }
  acl.add(kGroupObject, random.below(8));
  if (random.percent(40)) {
    acl.add(kGroup, random.below(8), 2001);
    named = true;
  }
  // Named entries without a mask are refused.
  if ((named && !random.percent(4)) || random.percent(10)) acl.add(kMask, random.below(8));
  acl.add(kOther, random.below(8));
  return acl.bytes();
}

bool choose_target(Planner& p, Op& op) {
  op.name = p.random().percent(55) ? "system.posix_acl_access" : "system.posix_acl_default";
  // Mostly on directories for the default list: elsewhere it is refused.
  if (op.name.ends_with("default") && p.random().percent(80))
    op.place = p.directory();
  else
    p.target(op);
  if (op.slot >= 0) return true;
  return op.place.path != "." && op.place.path.size() < 3900;
}

bool choose_known(Planner& p, Op& op) {
  Op known;
  if (!p.random().percent(50) || !p.recall_xattr(known) || !known.name.starts_with("system."))
    return choose_target(p, op);
  op.slot = known.slot;
  op.place = known.place;
  op.name = known.name;
  return true;
}

void settle_set(Planner& p, const Op& op, const Outcome& outcome) {
  if (outcome.error == 0) p.remember_xattr(op);
}

bool plan_setacl(Planner& p, Op& op) {
  if (!choose_target(p, op)) return false;
  op.value = choose_acl(p);
  return true;
}

void run_setacl(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(XattrTarget(side, op).set(op.name.c_str(), op.value, 0));
}

void run_getacl(Side& side, const Op& op, Outcome& outcome) {
  char* buffer = side.scratch().read_buffer();
  const ssize_t count = XattrTarget(side, op).get(op.name.c_str(), buffer, 4096);
  if (outcome.take(count)) outcome.bytes.assign(buffer, static_cast<size_t>(count));
}

void run_removeacl(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(XattrTarget(side, op).remove(op.name.c_str()));
}

}  // namespace

const OpTable& acl_ops() {
  static const OpTable table = {
      {"setacl", 10, Effect::kNamespace, Risk::kNone, plan_setacl, run_setacl, settle_set},
      {"getacl", 6, Effect::kNone, Risk::kNone, choose_known, run_getacl},
      {"removeacl", 4, Effect::kNamespace, Risk::kNone, choose_known, run_removeacl},
  };
  return table;
}

}  // namespace forebay::walk
