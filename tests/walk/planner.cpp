#include "planner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "credentials.h"
#include "prune.h"

namespace forebay::walk {
namespace {

constexpr uint64_t kRescanAfter = 40;
constexpr uint64_t kRescanAlways = 500;

std::vector<std::string> name_pool(bool long_names) {
  std::vector<std::string> names = {
      "a", "b", "c", "d", "e.txt", "dir1", "dir2", "x y", "-r", "new\nline", "\xc3\xa4\xc3\xb6", "..."};
  if (long_names) {
    names.emplace_back(255, 'L');
    // 255 bytes that are not UTF-8.
    std::string wild;
    for (int i = 0; i < 255; ++i) wild += static_cast<char>(0x80 + (i * 7) % 0x7f);
    names.push_back(wild);
  }
  return names;
}

}  // namespace

Planner::Planner(const Options& options, int thread, Random& random, HandleTable& handles, Side& model)
    : options_(options),
      thread_(thread),
      random_(random),
      handles_(handles),
      model_(model),
      names_(name_pool(options.features.long_name)) {
  struct stat status;
  if (::fstat(model_.thread_root(), &status) == 0) thread_root_inode_ = status.st_ino;
  int sum = 0;
  for (const auto* type : op_types()) {
    if (type->weight == 0 || options.no_ops.contains(type->name)) continue;
    if (!options.only_ops.empty() && !options.only_ops.contains(type->name)) continue;
    weights_.emplace_back(sum += type->weight, type);
  }
}

Op Planner::next(uint64_t step) {
  step_ = step;
  if (queue_.empty()) refresh();
  if (!queue_.empty()) {
    Op op = std::move(queue_.front());
    queue_.pop_front();
    op.step = step;
    return op;
  }
  for (int attempt = 0; attempt < 50 && !weights_.empty(); ++attempt) {
    Op op;
    op.type = choose_type();
    if (!op.type->plan(*this, op)) continue;
    finish(op, step);
    return op;
  }
  Op op;
  op.type = find_op_type("stat");
  op.place.path = ".";
  op.step = step;
  return op;
}

const OpType* Planner::choose_type() {
  const int64_t ticket = random_.below(weights_.back().first);
  const auto found = std::upper_bound(weights_.begin(), weights_.end(), ticket,
                                      [](int64_t value, const auto& entry) { return value < entry.first; });
  return found->second;
}

void Planner::finish(Op& op, uint64_t step) {
  op.step = step;
  if (op.type->effect == Effect::kContent) op.key = random_.next();
  if (options_.privileged && features().other_user && random_.percent(12))
    op.user = 1 + static_cast<int>(random_.below(kOtherUsers));
  const bool special = op.slot < 0 && op.place.path.empty();
  if (op.type->effect != Effect::kNone && !special && features().verify && !options_.tolerate_death)
    op.verify = random_.percent(25);
}

void Planner::settle(const Op& op, const Outcome& outcome) {
  if (op.type->effect == Effect::kNamespace && outcome.error == 0) names_changed_ = true;
  if (op.type->settle != nullptr) op.type->settle(*this, op, outcome);
}

void Planner::refresh() {
  const uint64_t age = step_ - scanned_at_;
  if (scanned_at_ != 0 && age < kRescanAlways && (!names_changed_ || age < kRescanAfter)) return;
  scanned_at_ = std::max<uint64_t>(step_, 1);
  names_changed_ = false;
  scan_ = scan_tree(model_, thread_);
  directories_.clear();
  files_.clear();
  for (const auto& entry : scan_.entries) {
    if (S_ISDIR(entry.mode) && entry.place.path.size() < 3500) directories_.push_back(&entry);
    if (S_ISREG(entry.mode)) files_.push_back(&entry);
  }
  Pruner(*this).plan();
}

std::string Planner::pool_name() { return random_.pick(names_); }

std::string Planner::child(const std::string& directory, const std::string& name) const {
  return directory.empty() ? name : directory + "/" + name;
}

Place Planner::in_shared() {
  static constexpr const char* kDirectories[] = {"", "d0/", "d1/"};
  static constexpr const char* kNames[] = {"a", "b", "c", "d"};
  return {kSharedRoot, std::string(random_.pick(kDirectories)) + thread_name(thread_) + "-" + random_.pick(kNames)};
}

std::string Planner::own_target() {
  static constexpr const char* kNames[] = {"a", "b", "c", "d"};
  return thread_name(thread_) + "-" + random_.pick(kNames);
}

bool Planner::leads_astray(const std::string& target, const Place& link) const {
  if (link.base != kSharedRoot) return false;
  const bool below = link.path.starts_with("d0/") || link.path.starts_with("d1/");
  if (link.path.find('/', below ? 3 : 0) != std::string::npos) return false;  // in a directory of this thread's
  return !target.starts_with('/') && !target.starts_with(thread_name(thread_) + "-");
}

bool Planner::leads_astray(const Place& from, const Place& to) const {
  std::string target(4096, '\0');
  const ssize_t length = ::readlinkat(model_.base(from), from.path.c_str(), target.data(), target.size());
  return length >= 0 && leads_astray(target.substr(0, static_cast<size_t>(length)), to);
}

Place Planner::fresh() {
  if (features().shared && random_.percent(8)) return in_shared();
  if (random_.percent(6)) {
    const int slot = handles_.pick(random_, [](const HandleInfo& handle) { return handle.is_directory(); });
    if (slot >= 0) return {slot, pool_name()};
  }
  Place place;
  if (!directories_.empty() && random_.percent(70)) place = random_.pick(directories_)->place;
  place.path = child(place.path, pool_name());
  mangle(place);
  return place;
}

Place Planner::opened(const Place& otherwise) {
  const int slot = handles_.pick(random_, [](const HandleInfo& handle) {
    return handle.is_file() && handle.place.base < 0 && !handle.place.path.empty();
  });
  return slot < 0 ? otherwise : handles_[slot].place;
}

Place Planner::existing() {
  if (random_.percent(8)) return opened(fresh());
  if (scan_.entries.empty()) return fresh();
  return random_.pick(scan_.entries).place;
}

Place Planner::file() {
  if (files_.empty() || random_.percent(15)) return any();
  return random_.pick(files_)->place;
}

Place Planner::directory() {
  if (random_.percent(8)) return any();
  if (directories_.empty() || random_.percent(20)) return {kThreadRoot, "."};
  return random_.pick(directories_)->place;
}

Place Planner::any() { return random_.percent(65) ? existing() : fresh(); }

// Turns a few paths into unusual ones. ".." only behind a name that is no link upwards: it cannot leave the subtree.
void Planner::mangle(Place& place) {
  if (!random_.percent(5)) return;
  switch (random_.below(6)) {
    case 0:
      place.path += "/";
      break;
    case 1:
      place.path = "./" + place.path;
      break;
    case 2:
      place.path = pool_name() + "/../" + place.path;
      break;
    case 3:  // a file, or nothing, used as a directory
      place.path = pool_name() + "/" + place.path;
      break;
    case 4:
      if (features().long_name) place.path = child("", std::string(256, 'M'));
      break;
    default:  // exactly as long as a path may be, or one byte longer
      if (features().long_name && place.path.size() < 1000) {
        const auto whole = static_cast<size_t>(4095 + random_.below(2));
        std::string prefix;
        while (prefix.size() + 2 + place.path.size() <= whole) prefix += "./";
        place.path = prefix + place.path;
      }
  }
}

void Planner::target(Op& op) {
  if (random_.percent(30)) op.slot = attribute_slot();
  if (op.slot < 0) op.place = any();
}

void Planner::remember_xattr(const Op& op) {
  xattrs_.push_back(op);
  if (xattrs_.size() > 12) xattrs_.pop_front();
}

bool Planner::recall_xattr(Op& op) {
  if (xattrs_.empty() || random_.percent(25)) return false;
  const Op& known = random_.pick(xattrs_);
  if (known.slot >= 0 && !handles_[known.slot].open) return false;
  if (known.place.base >= 0 && !handles_[known.place.base].is_directory()) return false;
  op.slot = known.slot;
  op.place = known.place;
  op.name = known.name;
  return true;
}

bool Planner::is_forbidden_device(const Place& place) {
  struct stat status;
  if (!options_.subject_nodev) return false;
  if (::fstatat(model_.base(place), place.path.c_str(), &status, 0) != 0) return false;
  return S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
}

}  // namespace forebay::walk
