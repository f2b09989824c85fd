// Chooses the next operation of a thread from its random numbers and from what it has seen so far.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "handles.h"
#include "op.h"
#include "options.h"
#include "random.h"
#include "tree_scan.h"

namespace forebay::walk {

class Planner {
 public:
  Planner(const Options& options, int thread, Random& random, HandleTable& handles, Side& model);

  Op next(uint64_t step);

  // Tells the planner what came of an operation that both sides agreed on.
  void settle(const Op& op, const Outcome& outcome);

  // What the plan functions of the operations draw from.
  Random& random() { return random_; }
  HandleTable& handles() { return handles_; }
  Side& model() { return model_; }
  const Options& options() const { return options_; }
  const Features& features() const { return options_.features; }
  int thread() const { return thread_; }

  // Slots: -1 if nothing fits. A file to read or write at explicit offsets, or at the file position.
  int readable_slot();
  int writable_slot();
  int streaming_slot(bool for_writing);
  int file_slot();
  int any_slot();
  // A handle, but not one of the thread's root: its attributes stay, or other users are locked out.
  int attribute_slot();
  // A file that is open more than once, if there is one: what happens to it shows through the other handle.
  int twin_slot();

  // Places: something that exists (mostly), a regular file, a directory, a name to create, anything.
  Place existing();
  Place file();
  Place directory();
  Place fresh();
  Place any();
  // A symlink with this target among the names that all threads share would lead to one that is no thread's own: two
  // could work on it at once, and after a death nobody would settle it.
  bool leads_astray(const std::string& target, const Place& link) const;
  // Whether `from` is such a link when it is moved or linked to `to`.
  bool leads_astray(const Place& from, const Place& to) const;
  // A target that is this thread's own there.
  std::string own_target();
  // A place that an open handle was opened at, or else the given one.
  Place opened(const Place& otherwise);
  // An operation on an open file or on a path: fills `slot` or `place`.
  void target(Op& op);
  // Extended attributes that were set lately: remembers one; turns the operation to one of them.
  void remember_xattr(const Op& op);
  bool recall_xattr(Op& op);
  // True if the place leads to a device that cannot be opened on the subject.
  bool is_forbidden_device(const Place& place);

  int64_t size_of(int slot);
  int64_t transfer_length();
  int64_t new_size(int64_t old_size);
  // Where to transfer `length` bytes; aligned if the handle needs it.
  void choose_range(Op& op);
  mode_t file_mode();

  // Operations that must come next, in this order.
  void enqueue(Op op) { queue_.push_back(std::move(op)); }
  bool queue_empty() const { return queue_.empty(); }

 private:
  friend class Pruner;

  const OpType* choose_type();
  void finish(Op& op, uint64_t step);
  void refresh();
  std::string pool_name();
  Place in_shared();
  std::string child(const std::string& directory, const std::string& name) const;
  void mangle(Place& place);

  const Options& options_;
  const int thread_;
  Random& random_;
  HandleTable& handles_;
  Side& model_;
  uint64_t thread_root_inode_ = 0;

  std::vector<std::pair<int, const OpType*>> weights_;  // running sum
  std::vector<std::string> names_;
  std::deque<Op> queue_;
  std::deque<Op> xattrs_;
  TreeScan scan_;
  std::vector<const TreeEntry*> directories_;
  std::vector<const TreeEntry*> files_;
  bool names_changed_ = true;
  uint64_t scanned_at_ = 0;
  uint64_t step_ = 0;
};

}  // namespace forebay::walk
