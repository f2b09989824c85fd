#include "mixture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "text.h"

namespace forebay::walk {
namespace {

struct Image {
  std::string content;  // from `from` on
  FileStat stat;
};

// All of the file, or of the range that counts.
bool take_image(int fd, int64_t from, int64_t to, Image& image) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return false;
  image.stat = to_file_stat(status);
  image.content.resize(static_cast<size_t>(std::max<int64_t>(0, std::min<int64_t>(status.st_size, to) - from)));
  size_t done = 0;
  while (done < image.content.size()) {
    const ssize_t count =
        ::pread(fd, image.content.data() + done, image.content.size() - done, from + static_cast<int64_t>(done));
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

char byte_at(const std::string& content, size_t at) { return at < content.size() ? content[at] : '\0'; }

std::string check_mixture(const Image& before, const Image& after, const Image& subject) {
  const size_t shortest = std::min(before.content.size(), after.content.size());
  const size_t longest = std::max(before.content.size(), after.content.size());
  if (subject.content.size() < shortest || subject.content.size() > longest)
    return fmt::format("size {} is neither {} (before) nor {} (after) nor between", subject.content.size(),
                       before.content.size(), after.content.size());
  for (size_t i = 0; i < subject.content.size(); ++i) {
    const char byte = subject.content[i];
    if (byte != byte_at(before.content, i) && byte != byte_at(after.content, i))
      return fmt::format("byte {} is neither the old one nor the new one: before {}, after {}, subject {}", i,
                         printable(before.content.substr(std::min(i, before.content.size()), 16)),
                         printable(after.content.substr(std::min(i, after.content.size()), 16)),
                         printable(subject.content.substr(i, 16)));
  }
  if (subject.stat.mode != before.stat.mode && subject.stat.mode != after.stat.mode)
    return fmt::format("mode {:o} is neither {:o} (before) nor {:o} (after)", subject.stat.mode, before.stat.mode,
                       after.stat.mode);
  const bool marker = subject.stat.mtime_seconds < kMarkerLimit;
  if (marker && (subject.stat.mtime_seconds != before.stat.mtime_seconds ||
                 subject.stat.mtime_nanoseconds != before.stat.mtime_nanoseconds))
    return "mtime " + to_text(subject.stat) + " is not that of before: " + to_text(before.stat);
  return {};
}

// Gives the model's file the content, the mode and the time of the subject's.
void adopt(int fd, const Image& subject, int64_t from, bool whole) {
  size_t done = 0;
  while (done < subject.content.size()) {
    const ssize_t count =
        ::pwrite(fd, subject.content.data() + done, subject.content.size() - done, from + static_cast<int64_t>(done));
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  if (!whole) return;
  if (::ftruncate(fd, subject.stat.size) != 0) fmt::print("ftruncate of the model: {}\n", error_name(errno));
  ::fchmod(fd, subject.stat.mode & 07777);
  const timespec times[2] = {{0, UTIME_OMIT}, {subject.stat.mtime_seconds, subject.stat.mtime_nanoseconds}};
  ::futimens(fd, times);
}

UniqueFd open_at(const Side& side, const Place& place, int flags) {
  return UniqueFd(::openat(side.base(place), place.path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
}

}  // namespace

std::string settle_mixture(Side& subject, Side& model, const Op& op, const SavedHandle* handle) {
  const bool stripe = ::strcmp(op.type->name, "stripe_write") == 0;
  const Place place = stripe ? Place{kSharedRoot, "stripes"} : handle != nullptr ? handle->place : op.place;
  const UniqueFd in_model = open_at(model, place, O_RDWR);
  // What cannot be opened cannot have been written either.
  if (!in_model) return {};
  const UniqueFd in_subject = open_at(subject, place, O_RDONLY);
  if (!in_subject) return fmt::format("{} cannot be opened: {}", printable(place.path), error_name(errno));
  struct stat status;
  if (::fstat(in_model.get(), &status) == 0 && !S_ISREG(status.st_mode)) return {};
  const int64_t from = stripe ? op.offset : 0;
  const int64_t to = stripe ? op.offset + op.length : INT64_MAX;
  Image now;
  Image before;
  Image after;
  if (!take_image(in_subject.get(), from, to, now)) return "the subject cannot be read: " + error_name(errno);
  if (!take_image(in_model.get(), from, to, before)) return "the model cannot be read: " + error_name(errno);
  Op repeated = op;
  repeated.verify = repeated.check_position = false;
  Outcome outcome;
  execute(model, repeated, outcome);
  if (!take_image(in_model.get(), from, to, after)) return "the model cannot be read: " + error_name(errno);
  const std::string fault = check_mixture(before, after, now);
  if (fault.empty()) adopt(in_model.get(), now, from, !stripe);
  return fault.empty() ? "" : printable(place.path) + ": " + fault;
}

}  // namespace forebay::walk
