// One thread of the walk: plans an operation, carries it out on the subject and then on the model, compares.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "control.h"
#include "handles.h"
#include "history.h"
#include "identity.h"
#include "options.h"
#include "planner.h"
#include "random.h"
#include "side.h"
#include "tree_compare.h"

namespace forebay::walk {

// A file without a name that the operation under way still needs gets this one in the model when the daemon dies.
inline constexpr const char* kPendingName = ".walk-pending";

class Walker {
 public:
  Walker(const Options& options, int thread, Control& control);

  // Until this thread's share of the steps is done or the control says stop.
  void run();

  // Compares the thread's subtree, its names in the shared one and, with them, its open files.
  // Empty if all agree; `subject_alive` false means: the daemon died meanwhile, nothing is known.
  std::vector<std::string> compare_all(bool& subject_alive);

  // The shared directories and files, with no thread running.
  std::vector<std::string> compare_shared(bool& subject_alive);

  void close_all();

  int thread() const { return thread_; }
  uint64_t steps_done() const { return done_; }
  Side& subject() { return subject_; }
  Side& model() { return model_; }
  const Side& model() const { return model_; }
  Random& random() { return random_; }
  Identity& identity() { return identity_; }
  HandleTable& handles() { return handles_; }
  // The operation under which the subject died.
  const std::optional<Op>& in_flight() const { return in_flight_; }

  // Continues where a saved walk stopped.
  void restore(uint64_t steps_done, const Random::State& random) {
    done_ = steps_done;
    random_ = Random(random);
  }

 private:
  // False when the walk has to stop.
  bool step();
  bool check_everything();
  bool is_death(const Op& op) const;
  void report(const Op& op, const std::string& difference);
  StatRules stat_rules();

  uint64_t inode_of(const Op& op) const;
  uint64_t inode_at_risk(const Op& op) const;
  void forget_if_gone(uint64_t inode);
  void track_open_mtime(const Op& op);

  const Options& options_;
  const int thread_;
  Control& control_;
  Scratch scratch_;
  Side subject_;
  Side model_;
  Random random_;
  HandleTable handles_;
  Planner planner_;
  Identity identity_;
  History history_;
  std::unordered_set<uint64_t> open_mtimes_;
  Outcome subject_outcome_;
  Outcome model_outcome_;
  std::optional<Op> in_flight_;
  uint64_t done_ = 0;
};

// Steps of one thread when all threads together do `total`.
uint64_t share_of(uint64_t total, int threads, int thread);

}  // namespace forebay::walk
