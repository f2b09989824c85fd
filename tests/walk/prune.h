// Keeps a thread's tree within bounds: plans removals when it has grown too large, and renames what lies too deep.
#pragma once

namespace forebay::walk {

class Planner;
struct Place;

class Pruner {
 public:
  explicit Pruner(Planner& planner) : planner_(planner) {}

  // Puts operations into the planner's queue if anything has to go.
  void plan();

 private:
  void raise(const Place& place);
  void remove_entries();
  void remove_bytes();

  Planner& planner_;
};

}  // namespace forebay::walk
