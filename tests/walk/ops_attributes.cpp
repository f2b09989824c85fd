// stat in all its kinds, access, chmod, chown, utimensat, statfs.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "credentials.h"
#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

bool plan_stat(Planner& p, Op& op) {
  if (p.random().percent(35)) op.slot = p.any_slot();
  if (op.slot < 0) op.place = p.any();
  op.flags = p.random().percent(60) ? AT_SYMLINK_NOFOLLOW : 0;
  return true;
}

void keep_stat(const struct stat& status, Outcome& outcome) {
  outcome.has_stat = true;
  outcome.stat = to_file_stat(status);
}

void run_stat(Side& side, const Op& op, Outcome& outcome) {
  struct stat status;
  const bool good =
      op.slot >= 0
          ? outcome.take(::fstat(side.fd(op.slot), &status))
          : outcome.take(::fstatat(side.base(op.place), op.place.path.c_str(), &status, static_cast<int>(op.flags)));
  if (good) keep_stat(status, outcome);
}

bool plan_statx(Planner& p, Op& op) {
  plan_stat(p, op);
  if (p.random().percent(30)) op.flags |= AT_STATX_FORCE_SYNC;
  return true;
}

void run_statx(Side& side, const Op& op, Outcome& outcome) {
  struct statx status;
  const int flags = static_cast<int>(op.flags);
  const bool good =
      op.slot >= 0
          ? outcome.take(::statx(side.fd(op.slot), "", flags | AT_EMPTY_PATH, STATX_BASIC_STATS, &status))
          : outcome.take(::statx(side.base(op.place), op.place.path.c_str(), flags, STATX_BASIC_STATS, &status));
  if (!good) return;
  outcome.has_stat = true;
  outcome.stat = {.mode = status.stx_mode,
                  .nlink = status.stx_nlink,
                  .uid = status.stx_uid,
                  .gid = status.stx_gid,
                  .size = static_cast<int64_t>(status.stx_size),
                  .device_number = makedev(status.stx_rdev_major, status.stx_rdev_minor),
                  .inode = status.stx_ino,
                  .mtime_seconds = status.stx_mtime.tv_sec,
                  .mtime_nanoseconds = status.stx_mtime.tv_nsec};
}

bool plan_access(Planner& p, Op& op) {
  op.place = p.any();
  op.mode = p.random().below(8);
  if (p.random().percent(40)) op.flags |= AT_EACCESS;
  if (p.random().percent(20)) op.flags |= AT_SYMLINK_NOFOLLOW;
  return true;
}

void run_access(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(
      ::faccessat(side.base(op.place), op.place.path.c_str(), static_cast<int>(op.mode), static_cast<int>(op.flags)));
}

bool plan_chmod(Planner& p, Op& op) {
  p.target(op);
  op.mode = p.file_mode();
  // Directories that their owner cannot enter any more would soon make the walk a short one.
  if (p.random().percent(85)) op.mode |= 0700;
  return true;
}

void run_chmod(Side& side, const Op& op, Outcome& outcome) {
  const auto mode = static_cast<mode_t>(op.mode);
  outcome.take(op.slot >= 0 ? ::fchmod(side.fd(op.slot), mode)
                            : ::fchmodat(side.base(op.place), op.place.path.c_str(), mode, 0));
}

bool plan_chown(Planner& p, Op& op) {
  p.target(op);
  op.uid = p.random().percent(30) ? -1 : p.random().pick(kUserIds);
  const bool keep_group = p.random().percent(30) && (op.uid != -1 || p.features().idle_chown);
  op.gid = keep_group ? -1 : p.random().pick(kGroupIds);
  op.flags = p.random().percent(50) ? AT_SYMLINK_NOFOLLOW : 0;
  return true;
}

void run_chown(Side& side, const Op& op, Outcome& outcome) {
  const auto uid = static_cast<uid_t>(op.uid);
  const auto gid = static_cast<gid_t>(op.gid);
  outcome.take(op.slot >= 0
                   ? ::fchown(side.fd(op.slot), uid, gid)
                   : ::fchownat(side.base(op.place), op.place.path.c_str(), uid, gid, static_cast<int>(op.flags)));
}

void choose_time(Planner& p, int64_t& seconds, int64_t& nanoseconds) {
  Random& random = p.random();
  const int64_t kind = random.below(100);
  if (kind < 15) {
    nanoseconds = UTIME_NOW;
  } else if (kind < 30) {
    nanoseconds = UTIME_OMIT;
  } else {
    seconds = 900'000'000 + random.below(kMarkerLimit - 900'000'001);
    if (p.features().negative_time && kind < 34) seconds = -random.below(2'000'000'000);
    nanoseconds = kind < 40 ? 0 : random.below(1'000'000'000);
  }
  if (random.per_mille(3)) nanoseconds = 1'000'000'000;  // EINVAL
}

bool plan_utimens(Planner& p, Op& op) {
  p.target(op);
  choose_time(p, op.access_seconds, op.access_nanoseconds);
  choose_time(p, op.modify_seconds, op.modify_nanoseconds);
  op.flags = p.random().percent(50) ? AT_SYMLINK_NOFOLLOW : 0;
  return true;
}

void run_utimens(Side& side, const Op& op, Outcome& outcome) {
  const timespec times[2] = {{op.access_seconds, op.access_nanoseconds}, {op.modify_seconds, op.modify_nanoseconds}};
  outcome.take(op.slot >= 0
                   ? ::futimens(side.fd(op.slot), times)
                   : ::utimensat(side.base(op.place), op.place.path.c_str(), times, static_cast<int>(op.flags)));
}

bool plan_statfs(Planner& p, Op& op) {
  op.slot = p.any_slot();
  return op.slot >= 0;
}

void run_statfs(Side& side, const Op& op, Outcome& outcome) {
  struct statfs status;
  outcome.take(::fstatfs(side.fd(op.slot), &status));
}

}  // namespace

const OpTable& attribute_ops() {
  static const OpTable table = {
      {"stat", 50, Effect::kNone, Risk::kNone, plan_stat, run_stat},
      {"statx", 12, Effect::kNone, Risk::kNone, plan_statx, run_statx},
      {"access", 14, Effect::kNone, Risk::kNone, plan_access, run_access},
      {"chmod", 20, Effect::kNamespace, Risk::kNone, plan_chmod, run_chmod},
      {"chown", 14, Effect::kNamespace, Risk::kNone, plan_chown, run_chown},
      {"utimens", 24, Effect::kNamespace, Risk::kNone, plan_utimens, run_utimens},
      {"statfs", 2, Effect::kNone, Risk::kNone, plan_statfs, run_statfs},
  };
  return table;
}

}  // namespace forebay::walk
