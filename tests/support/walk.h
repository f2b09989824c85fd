// Differential walks (the program forebay_walk) over a mounted cache, from a seed that is printed.
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "tests/support/mounted_cache.h"

namespace forebay::test {

// $FOREBAY_WALK_STEPS: fewer where each costs more, as under the sanitizers. The share of it that a test takes is
// divided by `divisor`.
uint64_t walk_steps(uint64_t divisor = 1);

// $FOREBAY_WALK_SEED, or a fresh one; printed, for whoever wants to repeat the test.
uint64_t walk_seed();

// A walk over any directory, with a directory to agree with; both exist and are empty.
testing::AssertionResult walk_agrees(const std::string& subject, const std::string& model, uint64_t steps,
                                     int threads = 2);
testing::AssertionResult trees_are_equal(const std::string& one, const std::string& other);

class Walk {
 public:
  enum class End { kAgreed, kDisagreed, kDied, kFailed };

  Walk(MountedCache& cache, uint64_t steps, int threads = 2);

  uint64_t seed() const { return seed_; }
  const std::string& model() const { return model_; }
  // More options of forebay_walk.
  void add(const std::vector<std::string>& words) { words_.insert(words_.end(), words.begin(), words.end()); }

  // To its end, all must agree.
  testing::AssertionResult agrees();
  // The external directory against the model, without the name `ignored` at the top.
  testing::AssertionResult external_equals_model(const std::string& ignored = "") const;
  testing::AssertionResult mount_equals_model() const;
  // What is seen inside is outside as well, with the very same times. After a flush.
  testing::AssertionResult mount_equals_external() const;

  // Until the end or until the mount's process dies; then the next run() takes it up from there.
  End run_tolerating_death();
  // Whether every thread has left something in the model. May be asked while the walk runs.
  bool has_begun() const;
  // What the last run said.
  const std::string& output() const { return output_; }

 private:
  ProcessResult run(std::vector<std::string> words) const;

  MountedCache& cache_;
  uint64_t steps_;
  int threads_;
  uint64_t seed_ = walk_seed();
  std::string model_;
  std::string state_;
  std::vector<std::string> words_;
  std::string output_;
};

}  // namespace forebay::test
