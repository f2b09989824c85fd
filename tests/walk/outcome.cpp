#include "outcome.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdlib>

#include "identity.h"
#include "text.h"

namespace forebay::walk {
namespace {

bool set_by_walk(const FileStat& stat) { return stat.mtime_seconds < kMarkerLimit; }

bool mtime_agrees(const FileStat& subject, const FileStat& model, const StatRules& rules) {
  const bool equal =
      subject.mtime_seconds == model.mtime_seconds && subject.mtime_nanoseconds == model.mtime_nanoseconds;
  if (equal || !rules.mtime || (S_ISDIR(model.mode) && !rules.dir_mtime)) return true;
  if (rules.open_mtimes != nullptr && rules.open_mtimes->contains(model.inode)) return true;
  // Pipes and devices: the kernel stamps the in-core inode only.
  if (!S_ISREG(model.mode) && !S_ISDIR(model.mode) && !S_ISLNK(model.mode)) return true;
  if (rules.exact_mtime && S_ISREG(model.mode)) return false;
  if (set_by_walk(subject) || set_by_walk(model)) return false;
  return std::llabs(subject.mtime_seconds - model.mtime_seconds) <= rules.mtime_slack;
}

}  // namespace

FileStat to_file_stat(const struct stat& from) {
  return {.mode = from.st_mode,
          .nlink = from.st_nlink,
          .uid = from.st_uid,
          .gid = from.st_gid,
          .size = from.st_size,
          .device_number = from.st_rdev,
          .inode = from.st_ino,
          .mtime_seconds = from.st_mtim.tv_sec,
          .mtime_nanoseconds = from.st_mtim.tv_nsec};
}

std::string to_text(const FileStat& stat) {
  return fmt::format("{} mode={:o} nlink={} uid={} gid={} size={} rdev={}:{} ino={} mtime={}.{:09}",
                     type_name(stat.mode), stat.mode & 07777, stat.nlink, stat.uid, stat.gid, stat.size,
                     major(stat.device_number), minor(stat.device_number), stat.inode, stat.mtime_seconds,
                     stat.mtime_nanoseconds);
}

std::string stat_difference(const FileStat& subject, const FileStat& model, const StatRules& rules) {
  std::string text;
  if (subject.mode != model.mode)
    text += fmt::format(" mode {} {:o} against {} {:o}", type_name(subject.mode), subject.mode & 07777,
                        type_name(model.mode), model.mode & 07777);
  if (subject.nlink != model.nlink && (rules.dir_nlink || !S_ISDIR(model.mode)))
    text += fmt::format(" nlink {} against {}", subject.nlink, model.nlink);
  if (subject.uid != model.uid) text += fmt::format(" uid {} against {}", subject.uid, model.uid);
  if (subject.gid != model.gid) text += fmt::format(" gid {} against {}", subject.gid, model.gid);
  if (subject.size != model.size && !S_ISDIR(model.mode))
    text += fmt::format(" size {} against {}", subject.size, model.size);
  if (subject.device_number != model.device_number)
    text += fmt::format(" rdev {:x} against {:x}", subject.device_number, model.device_number);
  if (!mtime_agrees(subject, model, rules))
    text += fmt::format(" mtime {}.{:09} against {}.{:09}{}", subject.mtime_seconds, subject.mtime_nanoseconds,
                        model.mtime_seconds, model.mtime_nanoseconds,
                        set_by_walk(model)     ? " (set explicitly)"
                        : set_by_walk(subject) ? " (should have been updated by a change)"
                                               : "");
  if (text.empty() && rules.identity != nullptr) text = rules.identity->check(model.inode, subject.inode);
  return text;
}

void Outcome::clear() {
  value = 0;
  error = 0;
  position = -1;
  bytes.clear();
  has_stat = false;
  stat_error = 0;
  fault.clear();
}

bool Outcome::take(int64_t result) {
  value = result;
  error = result < 0 ? errno : 0;
  return result >= 0;
}

std::string Outcome::to_text() const {
  std::string text = error != 0 ? fmt::format("{} {}", value, error_name(error)) : fmt::format("{}", value);
  if (position >= 0) text += fmt::format(" position={}", position);
  if (!bytes.empty()) text += fmt::format(" bytes={}", printable(bytes));
  if (stat_error != 0) text += fmt::format(" then stat: {}", error_name(stat_error));
  if (has_stat) text += " then stat: " + walk::to_text(stat);
  if (!fault.empty()) text += " FAULT: " + fault;
  return text;
}

std::string outcome_difference(const Outcome& subject, const Outcome& model, const StatRules& rules) {
  if (!subject.fault.empty()) return "the subject contradicts itself: " + subject.fault;
  if (!model.fault.empty()) return "the model contradicts itself: " + model.fault;
  if (subject.error != model.error)
    return fmt::format("{} against {}", subject.error != 0 ? error_name(subject.error) : "success",
                       model.error != 0 ? error_name(model.error) : "success");
  if (subject.value != model.value) return fmt::format("returned {} against {}", subject.value, model.value);
  if (subject.bytes != model.bytes) return bytes_difference(subject.bytes, model.bytes);
  if (subject.position != model.position)
    return fmt::format("file position {} against {}", subject.position, model.position);
  if (subject.stat_error != model.stat_error)
    return fmt::format("stat afterwards: {} against {}", error_name(subject.stat_error), error_name(model.stat_error));
  if (!subject.has_stat || !model.has_stat) return {};
  const std::string difference = stat_difference(subject.stat, model.stat, rules);
  return difference.empty() ? "" : "stat:" + difference;
}

}  // namespace forebay::walk
