// What threads do at once to the same files and directories, without being able to disturb each other.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "directory_reader.h"
#include "planner.h"
#include "shared_area.h"
#include "side.h"

namespace forebay::walk {
namespace {

// Any part of one of the thread's own stripes.
void choose_part(Planner& p, Op& op) {
  const int64_t stripe = p.random().below(kStripesPerThread) * p.options().threads + p.thread();
  const int64_t skip = p.random().percent(50) ? 0 : p.random().below(kStripeBytes);
  op.offset = stripe * kStripeBytes + skip;
  op.length = p.random().percent(50) ? kStripeBytes - skip : 1 + p.random().below(kStripeBytes - skip);
}

bool plan_stripe(Planner& p, Op& op) {
  if (!p.features().shared) return false;
  choose_part(p, op);
  return true;
}

void run_stripe_write(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::pwrite(side.shared().stripes.get(), side.scratch().content(op.key, op.length),
                        static_cast<size_t>(op.length), op.offset));
}

void run_stripe_read(Side& side, const Op& op, Outcome& outcome) {
  char* buffer = side.scratch().read_buffer();
  const ssize_t count = ::pread(side.shared().stripes.get(), buffer, static_cast<size_t>(op.length), op.offset);
  if (outcome.take(count)) outcome.bytes.assign(buffer, static_cast<size_t>(count));
}

bool plan_append(Planner& p, Op& op) {
  op.uid = p.thread();
  return p.features().shared;
}

void run_append(Side& side, const Op& op, Outcome& outcome) {
  const std::string record = append_record(static_cast<int>(op.uid), op.step);
  outcome.take(::write(side.shared().append.get(), record.data(), record.size()));
}

bool plan_reopen(Planner& p, Op&) { return p.features().shared; }

void run_reopen(Side& side, const Op&, Outcome& outcome) {
  side.shared() = {};
  side.shared().stripes = UniqueFd(::openat(side.shared_root(), "stripes", O_RDWR | O_CLOEXEC));
  if (!side.shared().stripes) outcome.take(-1);
  side.shared().append = UniqueFd(::openat(side.shared_root(), "append", O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!side.shared().append) outcome.take(-1);
}

bool plan_list(Planner& p, Op& op) {
  static constexpr const char* kDirectories[] = {".", "d0", "d1"};
  op.place = {kSharedRoot, p.random().pick(kDirectories)};
  op.name = thread_name(p.thread()) + "-";
  op.length = 280 + p.random().below(3000);
  return p.features().shared;
}

// Others come and go meanwhile; the thread's own names must be there, once each.
void run_list(Side& side, const Op& op, Outcome& outcome) {
  const UniqueFd directory(::openat(side.base(op.place), op.place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<DirectoryEntry> entries;
  if (!directory || !read_all_entries(directory.get(), op.length, entries)) {
    outcome.take(-1);
    return;
  }
  std::erase_if(entries, [&](const DirectoryEntry& entry) { return !entry.name.starts_with(op.name); });
  outcome.bytes = listing(entries, outcome.fault);
}

}  // namespace

const OpTable& shared_ops() {
  static const OpTable table = {
      {"stripe_write", 16, Effect::kContent, Risk::kNone, plan_stripe, run_stripe_write},
      {"stripe_read", 12, Effect::kNone, Risk::kNone, plan_stripe, run_stripe_read},
      {"append", 10, Effect::kContent, Risk::kNone, plan_append, run_append},
      {"shared_reopen", 3, Effect::kNone, Risk::kNone, plan_reopen, run_reopen},
      {"shared_list", 4, Effect::kNone, Risk::kNone, plan_list, run_list},
  };
  return table;
}

}  // namespace forebay::walk
