// open with all its flags, O_TMPFILE and giving it a name, close, dup, F_SETFL.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

constexpr int64_t kAlways = O_CLOEXEC | O_NONBLOCK;  // pipes must not block the walk

bool plan_open(Planner& p, Op& op) {
  op.slot = p.handles().free_slot();
  if (op.slot < 0) return false;
  Random& random = p.random();
  const int64_t access = random.below(100);
  op.flags = kAlways | (access < 25 ? O_RDONLY : access < 40 ? O_WRONLY : O_RDWR);
  if (random.percent(8)) {
    op.flags = kAlways | O_RDONLY | O_DIRECTORY;
    op.place = p.directory();
    if (random.percent(10)) op.flags |= O_NOFOLLOW;
    return true;
  }
  op.place = random.percent(70) ? p.file() : p.any();
  // Several handles of one file are worth more than one of each.
  if (random.percent(30)) op.place = p.opened(op.place);
  op.mode = p.file_mode();
  if (random.percent(60)) op.flags |= O_CREAT;
  if ((op.flags & O_CREAT) != 0 && random.percent(12)) op.flags |= O_EXCL;
  if (random.percent(8)) op.flags |= O_TRUNC;
  if (p.features().o_append && random.percent(15)) op.flags |= O_APPEND;
  if (random.percent(8)) op.flags |= O_NOFOLLOW;
  if (p.features().o_direct && (op.flags & O_APPEND) == 0 && random.percent(6)) op.flags |= O_DIRECT;
  if (p.features().o_sync && random.per_mille(8)) op.flags |= random.percent(50) ? O_SYNC : O_DSYNC;
  if (random.percent(2)) op.flags = kAlways | O_PATH | (op.flags & O_NOFOLLOW);
  return !p.is_forbidden_device(op.place);
}

void run_open(Side& side, const Op& op, Outcome& outcome) {
  const int fd = ::openat(side.base(op.place), op.place.path.c_str(), static_cast<int>(op.flags), op.mode);
  // The number itself means nothing.
  if (outcome.take(fd)) outcome.value = 0;
  side.handle(op.slot) = UniqueFd(fd);
}

void remember_handle(Planner& p, int slot, int64_t flags, const Place& place) {
  struct stat status;
  if (::fstat(p.model().fd(slot), &status) != 0) return;
  p.handles()[slot] = {.open = true, .flags = flags, .type = status.st_mode, .inode = status.st_ino, .place = place};
}

void settle_open(Planner& p, const Op& op, const Outcome& outcome) {
  if (outcome.error == 0) remember_handle(p, op.slot, op.flags, op.place);
}

bool plan_tmpfile(Planner& p, Op& op) {
  op.slot = p.handles().free_slot();
  if (op.slot < 0 || !p.features().o_tmpfile) return false;
  op.place = p.directory();
  op.flags = kAlways | O_TMPFILE | (p.random().percent(80) ? O_RDWR : O_WRONLY);
  if (p.random().percent(10)) op.flags |= O_EXCL;
  op.mode = p.file_mode();
  return true;
}

bool plan_link_fd(Planner& p, Op& op) {
  const auto is_tmpfile = [](const HandleInfo& handle) { return (handle.flags & O_TMPFILE) == O_TMPFILE; };
  op.slot = p.handles().pick(p.random(), is_tmpfile);
  if (op.slot < 0 || p.random().percent(5)) op.slot = p.any_slot();
  if (op.slot < 0) return false;
  op.place2 = p.random().percent(85) ? p.fresh() : p.any();
  return true;
}

void run_link_fd(Side& side, const Op& op, Outcome& outcome) {
  const std::string from = fmt::format("/proc/self/fd/{}", side.fd(op.slot));
  outcome.take(::linkat(AT_FDCWD, from.c_str(), side.base(op.place2), op.place2.path.c_str(), AT_SYMLINK_FOLLOW));
}

bool plan_close(Planner& p, Op& op) {
  op.slot = p.any_slot();
  // Full tables are mostly closed from, empty ones left to fill.
  return op.slot >= 0 && (p.handles().free_slot() < 0 || p.random().percent(40));
}

// Locks of an open file that is closed while it is mapped: on a local file system they stand as long as the mapping,
// through FUSE passthrough they end now. So they are given up before.
void run_close(Side& side, const Op& op, Outcome& outcome) {
  if (side.has_mappings()) {
    struct flock all = {};
    all.l_type = F_UNLCK;
    all.l_whence = SEEK_SET;
    ::flock(side.fd(op.slot), LOCK_UN);
    ::fcntl(side.fd(op.slot), F_OFD_SETLK, &all);
  }
  outcome.take(::close(side.handle(op.slot).release()));
}

void settle_close(Planner& p, const Op& op, const Outcome&) { p.handles()[op.slot] = {}; }

bool plan_dup(Planner& p, Op& op) {
  op.slot = p.handles().free_slot();
  op.slot2 = p.any_slot();
  return op.slot >= 0 && op.slot2 >= 0;
}

void run_dup(Side& side, const Op& op, Outcome& outcome) {
  const int fd = ::fcntl(side.fd(op.slot2), F_DUPFD_CLOEXEC, 0);
  if (outcome.take(fd)) outcome.value = 0;
  side.handle(op.slot) = UniqueFd(fd);
}

void settle_dup(Planner& p, const Op& op, const Outcome& outcome) {
  if (outcome.error == 0) p.handles()[op.slot] = p.handles()[op.slot2];
}

// O_APPEND on and off under an open handle.
bool plan_setfl(Planner& p, Op& op) {
  if (!p.features().o_append) return false;
  op.slot = p.handles().pick(
      p.random(), [](const HandleInfo& handle) { return handle.is_file() && !handle.direct() && !handle.path_only(); });
  if (op.slot < 0) return false;
  op.flags = O_NONBLOCK | (p.random().percent(50) ? O_APPEND : 0);
  return true;
}

void run_setfl(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::fcntl(side.fd(op.slot), F_SETFL, op.flags));
  if (outcome.error == 0) outcome.bytes = (::fcntl(side.fd(op.slot), F_GETFL) & O_APPEND) != 0 ? "append" : "";
}

void settle_setfl(Planner& p, const Op& op, const Outcome& outcome) {
  if (outcome.error != 0) return;
  auto& flags = p.handles()[op.slot].flags;
  flags = (flags & ~int64_t{O_APPEND}) | (op.flags & O_APPEND);
}

}  // namespace

const OpTable& open_ops() {
  static const OpTable table = {
      {"open", 160, Effect::kNamespace, Risk::kNone, plan_open, run_open, settle_open},
      {"tmpfile", 6, Effect::kNone, Risk::kNone, plan_tmpfile, run_open, settle_open},
      {"link_fd", 6, Effect::kNamespace, Risk::kNone, plan_link_fd, run_link_fd},
      {"close", 160, Effect::kNone, Risk::kSlot, plan_close, run_close, settle_close},
      {"dup", 4, Effect::kNone, Risk::kNone, plan_dup, run_dup, settle_dup},
      {"setfl", 3, Effect::kNone, Risk::kNone, plan_setfl, run_setfl, settle_setfl},
  };
  return table;
}

}  // namespace forebay::walk
