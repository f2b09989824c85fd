#include "resume.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "death.h"
#include "mixture.h"
#include "shared_area.h"
#include "text.h"
#include "tree_scan.h"

namespace forebay::walk {
namespace {

bool is_type(const Op& op, const char* name) { return ::strcmp(op.type->name, name) == 0; }

class Settler {
 public:
  Settler(Walker& walker, SavedThread& saved) : walker_(walker), saved_(saved) {}

  Settled settle() {
    walker_.restore(saved_.steps_done, saved_.random);
    for (const auto& [model, subject] : saved_.inodes) walker_.identity().check(model, subject);
    if (saved_.op) {
      fmt::print("t{:02}: under way was: {}\n", walker_.thread(), describe(*saved_.op));
      const Settled result = settle_op(*saved_.op);
      if (result != Settled::kAll) return result;
    }
    const Settled result = judge(compare(), "after the daemon's death");
    if (result != Settled::kAll) return result;
    saved_.op.reset();
    ::unlinkat(walker_.model().thread_root(), kPendingName, 0);
    walker_.identity().keep_only(scan_tree(walker_.model(), walker_.thread()).inodes());
    return Settled::kAll;
  }

 private:
  Settled settle_op(const Op& op) {
    open_handles(op);
    Settled result = Settled::kAll;
    if (is_type(op, "readdir_churn"))
      remove_churn(op);
    else if (is_type(op, "append"))
      result = settle_append(op);
    else if (op.type->effect == Effect::kContent)
      result = settle_content(op);
    else
      result = settle_namespace(op);
    close_handles();
    return result;
  }

  // Files in the model only; the directories that paths start from on both sides.
  void open_handles(const Op& op) {
    for (const auto& handle : saved_.handles) {
      open_handle(walker_.model(), handle);
      if (handle.slot == op.place.base || handle.slot == op.place2.base) open_handle(walker_.subject(), handle);
    }
  }

  static void open_handle(Side& side, const SavedHandle& handle) {
    const int flags = static_cast<int>(handle.flags & (O_ACCMODE | O_APPEND | O_PATH | O_DIRECT | O_NOFOLLOW));
    side.handle(handle.slot) =
        UniqueFd(::openat(side.base(handle.place), handle.place.path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
    if (handle.position > 0) ::lseek(side.fd(handle.slot), handle.position, SEEK_SET);
  }

  void close_handles() {
    for (Side* side : {&walker_.subject(), &walker_.model()}) {
      side->close_all();
      open_shared_files(*side);
    }
  }

  // All or nothing: either the trees agree now, or they do after the model has done it too.
  Settled settle_namespace(const Op& op) {
    const Identity before = walker_.identity();
    const auto undone = compare();
    if (undone.empty()) return Settled::kAll;
    if (died_) return Settled::kDied;
    walker_.identity() = before;
    Op repeated = op;
    repeated.verify = repeated.check_position = false;
    if (is_type(op, "link_fd") && saved_.handles.empty()) {
      // The file without a name, kept under another one.
      repeated.type = find_op_type("rename");
      repeated.place = {kThreadRoot, kPendingName};
      repeated.slot = -1;
      repeated.user = 0;
    }
    Outcome outcome;
    execute(walker_.model(), repeated, outcome);
    saved_.op.reset();
    const auto done = compare();
    if (died_) return Settled::kDied;
    if (done.empty()) {
      fmt::print("t{:02}: it took effect\n", walker_.thread());
      return Settled::kAll;
    }
    report(undone, "if the operation under way did not take effect");
    report(done, "if it did");
    return Settled::kLost;
  }

  Settled settle_content(const Op& op) {
    const SavedHandle* handle = saved_.handles.empty() || op.slot < 0 ? nullptr : &saved_.handles.front();
    const std::string fault = settle_mixture(walker_.subject(), walker_.model(), op, handle);
    if (fault.empty()) {
      saved_.op.reset();
      return Settled::kAll;
    }
    if (!walker_.subject().alive()) return Settled::kDied;
    report({fault}, "in the content that was being written");
    return Settled::kLost;
  }

  Settled settle_append(const Op& op) {
    std::vector<std::string> faults;
    const std::string record = append_record(static_cast<int>(op.uid), op.step);
    const auto records = read_records(walker_.subject(), faults);
    if (!faults.empty() && !walker_.subject().alive()) return Settled::kDied;
    if (!std::binary_search(records.begin(), records.end(), record)) return Settled::kAll;
    Outcome outcome;
    execute(walker_.model(), op, outcome);
    fmt::print("t{:02}: it took effect\n", walker_.thread());
    saved_.op.reset();
    return Settled::kAll;
  }

  // One file is made on both sides before all are removed, so that the directory's mtime is of this moment on both.
  void remove_churn(const Op& op) {
    for (Side* side : {&walker_.subject(), &walker_.model()}) {
      const UniqueFd directory(
          ::openat(side->base(op.place), op.place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!directory) continue;
      const UniqueFd one(::openat(directory.get(), "churn-0", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
      for (int64_t i = 0; i <= op.length; ++i) ::unlinkat(directory.get(), fmt::format("churn-{}", i).c_str(), 0);
    }
  }

  std::vector<std::string> compare() {
    bool alive = true;
    auto differences = walker_.compare_all(alive);
    died_ = died_ || !alive;
    return differences;
  }

  Settled judge(const std::vector<std::string>& differences, const char* when) {
    if (died_) return Settled::kDied;
    if (differences.empty()) return Settled::kAll;
    report(differences, when);
    return Settled::kLost;
  }

  void report(const std::vector<std::string>& differences, const char* when) const {
    fmt::print("\nDISAGREEMENT {}, thread {}\n", when, walker_.thread());
    if (saved_.op) fmt::print("  under way was: {}\n", describe(*saved_.op));
    for (const auto& difference : differences) fmt::print("  {}\n", difference);
  }

  Walker& walker_;
  SavedThread& saved_;
  bool died_ = false;
};

Settled settle_threads(SavedWalk& saved, std::vector<std::unique_ptr<Walker>>& walkers) {
  for (size_t i = 0; i < walkers.size(); ++i) {
    const Settled result = Settler(*walkers[i], saved.threads[i]).settle();
    if (result != Settled::kAll) return result;
  }
  return Settled::kAll;
}

}  // namespace

Settled settle_death(SavedWalk& saved, std::vector<std::unique_ptr<Walker>>& walkers, const Options& options) try {
  const Settled result = settle_threads(saved, walkers);
  if (result != Settled::kAll) return result;
  bool alive = true;
  const auto differences = walkers.front()->compare_shared(alive);
  if (!alive) return Settled::kDied;
  if (differences.empty()) {
    fmt::print("resumed: everything acknowledged is there\n");
    return Settled::kAll;
  }
  fmt::print("\nDISAGREEMENT after the daemon's death, in the shared files\n");
  for (const auto& difference : differences) fmt::print("  {}\n", difference);
  fmt::print("repeat: {}\n", options.repeat_command());
  return Settled::kLost;
} catch (const std::system_error&) {
  if (walkers.front()->subject().alive()) throw;
  return Settled::kDied;
}

}  // namespace forebay::walk
