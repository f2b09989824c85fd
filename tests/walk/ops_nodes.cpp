// mknod of every kind, symlink, readlink.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

bool plan_mknod(Planner& p, Op& op) {
  static constexpr mode_t kTypes[] = {S_IFREG, S_IFREG, S_IFIFO, S_IFIFO, S_IFSOCK, S_IFCHR};
  const mode_t type = p.random().pick(kTypes);
  if (type == S_IFCHR && !p.features().device) return false;
  op.place = p.random().percent(80) ? p.fresh() : p.any();
  op.mode = type | p.file_mode();
  if (type == S_IFCHR) op.flags = static_cast<int64_t>(makedev(1, 3));  // the null device: harmless
  return true;
}

void run_mknod(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::mknodat(side.base(op.place), op.place.path.c_str(), static_cast<mode_t>(op.mode),
                         static_cast<dev_t>(op.flags)));
}

// Links lead only downwards from where they are: no path through them leaves the thread's subtree.
bool plan_symlink(Planner& p, Op& op) {
  static constexpr const char* kTargets[] = {"a",    "b",      "c",         "d",     "dir1",
                                             "dir2", "dir1/a", "dir2/dir1", "c/b/a", "nowhere"};
  op.place = p.random().percent(80) ? p.fresh() : p.any();
  const int64_t kind = p.random().below(100);
  if (kind < 70) {
    op.value = p.random().pick(kTargets);
  } else if (kind < 85) {
    const Place to = p.existing();
    op.value = to.base == kThreadRoot && (to.path.size() < 1000 || p.features().long_link) ? to.path : "a";
  } else if (kind < 90) {
    op.value = "/nonexistent-forebay-walk/x";
  } else if (kind < 99) {  // bytes that need not be text, nor a path that can be
    op.value =
        std::string(static_cast<size_t>(1 + p.random().below(900)), static_cast<char>(0x81 + p.random().below(60)));
  } else if (p.features().long_link) {
    op.value = p.random().percent(50) ? "" : std::string(static_cast<size_t>(4090 + p.random().below(10)), 's');
  }
  if (p.leads_astray(op.value, op.place)) op.value = p.own_target();
  return true;
}

void run_symlink(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::symlinkat(op.value.c_str(), side.base(op.place), op.place.path.c_str()));
}

bool plan_readlink(Planner& p, Op& op) {
  op.place = p.any();
  op.length = p.random().percent(20) ? 1 + p.random().below(10) : 4096;
  return true;
}

void run_readlink(Side& side, const Op& op, Outcome& outcome) {
  char* buffer = side.scratch().read_buffer();
  const ssize_t count =
      ::readlinkat(side.base(op.place), op.place.path.c_str(), buffer, static_cast<size_t>(op.length));
  if (outcome.take(count)) outcome.bytes.assign(buffer, static_cast<size_t>(count));
}

}  // namespace

const OpTable& node_ops() {
  static const OpTable table = {
      {"mknod", 10, Effect::kNamespace, Risk::kNone, plan_mknod, run_mknod},
      {"symlink", 16, Effect::kNamespace, Risk::kNone, plan_symlink, run_symlink},
      {"readlink", 12, Effect::kNone, Risk::kNone, plan_readlink, run_readlink},
  };
  return table;
}

}  // namespace forebay::walk
