#include "walker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "shared_area.h"
#include "text.h"

namespace forebay::walk {

uint64_t share_of(uint64_t total, int threads, int thread) {
  const auto count = static_cast<uint64_t>(threads);
  return total / count + (static_cast<uint64_t>(thread) < total % count ? 1 : 0);
}

Walker::Walker(const Options& options, int thread, Control& control)
    : options_(options),
      thread_(thread),
      control_(control),
      subject_("subject", options.subject, thread, scratch_),
      model_("model", options.model, thread, scratch_),
      random_(mix(options.seed) ^ mix(static_cast<uint64_t>(thread) + 1)),
      planner_(options, thread, random_, handles_, model_) {
  open_shared_files(subject_);
  open_shared_files(model_);
}

void Walker::run() {
  const uint64_t share = share_of(options_.steps, options_.threads, thread_);
  while (done_ < share && !control_.stopped()) {
    if (!step()) return;
    ++done_;
    if (done_ % options_.check_every == 0 && !check_everything()) return;
  }
  if (!control_.stopped()) check_everything();
}

bool Walker::step() {
  Op op = planner_.next(done_ + 1);
  execute(subject_, op, subject_outcome_);
  if (options_.tolerate_death && is_death(op)) {
    in_flight_ = std::move(op);
    control_.die();
    return false;
  }
  const uint64_t risk = inode_at_risk(op);
  const uint64_t inode = inode_of(op);
  execute(model_, op, model_outcome_);
  track_open_mtime(op);
  if (control_.logging())
    control_.log(fmt::format("t{:02} {:>8} {} = {}", thread_, op.step, describe(op), subject_outcome_.to_text()));
  const std::string difference = outcome_difference(subject_outcome_, model_outcome_, stat_rules());
  if (!difference.empty()) {
    if (options_.tolerate_death && !subject_.alive())
      control_.die();
    else
      report(op, difference);
    return false;
  }
  planner_.settle(op, model_outcome_);
  if (risk != 0 && model_outcome_.error == 0) forget_if_gone(risk);
  history_.add(op, model_outcome_.value, model_outcome_.error, inode);
  return true;
}

// A call that fails, or moves less than it was asked to, may have met the end of the daemon. With any error: a link by
// another user, whose permission the kernel could not ask for any more, is EPERM (fs.protected_hardlinks).
bool Walker::is_death(const Op& op) const {
  const bool is_short = op.type->effect == Effect::kContent && op.length > 0 && subject_outcome_.value < op.length;
  if (subject_outcome_.error == 0 && !is_short) return false;
  return !subject_.alive();
}

StatRules Walker::stat_rules() {
  return {.dir_nlink = options_.dir_nlink,
          .mtime = options_.mtime,
          .dir_mtime = options_.dir_mtime,
          .mtime_slack = options_.mtime_slack,
          .open_mtimes = &open_mtimes_,
          .identity = &identity_};
}

void Walker::report(const Op& op, const std::string& difference) {
  const uint64_t inode = inode_of(op);
  std::string text = fmt::format(
      "\nDISAGREEMENT at step {} of thread {}\n  operation:  {}\n  subject:    {}\n  model:      {}\n"
      "  difference: {}\n",
      op.step, thread_, describe(op), subject_outcome_.to_text(), model_outcome_.to_text(), difference);
  for (int slot : {op.slot, op.slot2})
    if (slot >= 0 && slot < kHandleSlots && handles_[slot].open)
      text += fmt::format("  slot {}: {} opened as {} with flags {:#x}, inode {} of the model\n", slot,
                          type_name(handles_[slot].type), printable(handles_[slot].place.path), handles_[slot].flags,
                          handles_[slot].inode);
  text += "last operations of this thread:\n" + history_.last(30);
  text += "last operations on the same file or path:\n" + history_.about(op, inode, 30);
  control_.fail(text + "repeat: " + options_.repeat_command());
}

bool Walker::check_everything() {
  bool alive = true;
  const auto differences = compare_all(alive);
  if (!alive) {
    control_.die();
    return false;
  }
  if (options_.verbose) control_.say(fmt::format("t{:02}: {} steps, trees agree", thread_, done_));
  if (differences.empty()) return true;
  std::string text = fmt::format("\nDISAGREEMENT in the full comparison after step {} of thread {}\n", done_, thread_);
  for (const auto& difference : differences) text += "  " + difference + "\n";
  text += "last operations of this thread:\n" + history_.last(30);
  control_.fail(text + "repeat: " + options_.repeat_command());
  return false;
}

std::vector<std::string> Walker::compare_all(bool& subject_alive) {
  CompareRules rules{
      .stat = stat_rules(), .skip_common_holes = true, .limit = 20, .record_file = "", .wanted = nullptr};
  rules.wanted = [](const std::string& name) { return name != kPendingName; };
  TreeCompare compare(rules);
  compare.compare_roots(subject_.thread_root(), model_.thread_root(), thread_name(thread_));
  rules.wanted = [prefix = thread_name(thread_) + "-"](const std::string& name) { return name.starts_with(prefix); };
  compare.compare_roots(subject_.shared_root(), model_.shared_root(), "shared");
  for (const char* name : {"d0", "d1"}) {
    const UniqueFd in_subject(::openat(subject_.shared_root(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd in_model(::openat(model_.shared_root(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!in_subject || !in_model)
      compare.add(std::string("shared/") + name, "cannot be opened");
    else
      compare.compare_roots(in_subject.get(), in_model.get(), std::string("shared/") + name);
  }
  for (int slot = 0; slot < kHandleSlots; ++slot) {
    const HandleInfo& handle = handles_[slot];
    if (handle.open && handle.is_file() && handle.readable() && !handle.direct())
      compare.compare_files(subject_.fd(slot), model_.fd(slot),
                            fmt::format("handle {} of {}", slot, handle.place.path));
  }
  subject_alive = compare.count() == 0 || !options_.tolerate_death || subject_.alive();
  return compare.differences();
}

std::vector<std::string> Walker::compare_shared(bool& subject_alive) {
  const CompareRules rules{.stat = {.dir_nlink = options_.dir_nlink,
                                    .mtime = options_.mtime,
                                    .dir_mtime = options_.dir_mtime,
                                    .mtime_slack = options_.mtime_slack,
                                    .open_mtimes = nullptr,
                                    .identity = nullptr},
                           .skip_common_holes = false,
                           .limit = 20,
                           .record_file = "",
                           .wanted = [](const std::string& name) { return name != "append"; }};
  TreeCompare compare(rules);
  compare.compare_roots(subject_.shared_root(), model_.shared_root(), "shared");
  auto differences = compare_shared_files(subject_, model_);
  differences.insert(differences.end(), compare.differences().begin(), compare.differences().end());
  subject_alive = differences.empty() || !options_.tolerate_death || subject_.alive();
  return differences;
}

void Walker::close_all() {
  subject_.close_all();
  model_.close_all();
  handles_.clear();
}

}  // namespace forebay::walk
