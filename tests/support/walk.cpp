#include "tests/support/walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "tests/support/binaries.h"

namespace forebay::test {
namespace {

constexpr uint64_t kDefaultSteps = 100'000;
constexpr uint64_t kLeastSteps = 200;
// Below the limit that ctest has for a test, so that the walk's own words are seen.
constexpr std::chrono::seconds kLongestWalk{850};

ProcessResult run_walk(std::vector<std::string> words) {
  words.insert(words.begin(), FOREBAY_WALK_BINARY);
  return run_process(words, {.timeout = kLongestWalk, .environment = {}, .directory = {}, .user = {}});
}

testing::AssertionResult success_of(const ProcessResult& result) {
  if (result.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << describe(result);
}

}  // namespace

uint64_t walk_steps(uint64_t divisor) {
  const char* const given = std::getenv("FOREBAY_WALK_STEPS");
  const uint64_t steps = given == nullptr ? kDefaultSteps : std::strtoull(given, nullptr, 10);
  return std::max(kLeastSteps, steps / divisor);
}

uint64_t walk_seed() {
  const char* const given = std::getenv("FOREBAY_WALK_SEED");
  std::random_device device;
  const uint64_t seed = given == nullptr ? (uint64_t{device()} << 32 | device()) : std::strtoull(given, nullptr, 10);
  std::cout << "repeat with FOREBAY_WALK_SEED=" << seed << std::endl;
  return seed;
}

testing::AssertionResult walk_agrees(const std::string& subject, const std::string& model, uint64_t steps,
                                     int threads) {
  return success_of(run_walk({"--subject", subject, "--model", model, "--seed", std::to_string(walk_seed()), "--no-op",
                              "idle_chown", "--steps", std::to_string(steps), "--threads", std::to_string(threads)}));
}

testing::AssertionResult trees_are_equal(const std::string& one, const std::string& other) {
  return success_of(run_walk({"--compare", one, other}));
}

Walk::Walk(MountedCache& cache, uint64_t steps, int threads)
    : cache_(cache),
      steps_(steps),
      threads_(threads),
      model_(cache.root().make("model")),
      state_(cache.root() / "walk-state") {}

testing::AssertionResult Walk::agrees() {
  std::vector<std::string> words{"--seed", std::to_string(seed_)};
  words.insert(words.end(), words_.begin(), words_.end());
  return success_of(run(words));
}

testing::AssertionResult Walk::external_equals_model(const std::string& ignored) const {
  std::vector<std::string> words{"--compare", cache_.external(), model_};
  if (!ignored.empty()) words.insert(words.end(), {"--ignore", ignored});
  return success_of(run_walk(words));
}

testing::AssertionResult Walk::mount_equals_model() const {
  return success_of(run_walk({"--compare", model_, cache_.mountpoint()}));
}

testing::AssertionResult Walk::mount_equals_external() const {
  return success_of(run_walk({"--compare", cache_.external(), cache_.mountpoint(), "--mtime"}));
}

Walk::End Walk::run_tolerating_death() {
  std::vector<std::string> words{"--tolerate-death", "--state", state_};
  if (exists(state_)) {
    words.insert(words.end(), {"--resume", state_});
  } else {
    words.insert(words.end(), {"--seed", std::to_string(seed_)});
  }
  words.insert(words.end(), words_.begin(), words_.end());
  const ProcessResult result = run(words);
  output_ = describe(result);
  constexpr int kDisagreed = 1, kDied = 3;
  if (result.ok()) return End::kAgreed;
  if (result.exit_status == kDied) return End::kDied;
  return result.exit_status == kDisagreed ? End::kDisagreed : End::kFailed;
}

bool Walk::has_begun() const {
  for (int thread = 0; thread < threads_; ++thread) {
    std::error_code none_yet;
    if (std::filesystem::is_empty(fmt::format("{}/t{:02}", model_, thread), none_yet) || none_yet) return false;
  }
  return true;
}

ProcessResult Walk::run(std::vector<std::string> words) const {
  words.insert(words.end(), {"--subject", cache_.mountpoint(), "--model", model_, "--no-op", "idle_chown", "--steps",
                             std::to_string(steps_), "--threads", std::to_string(threads_)});
  return run_walk(words);
}

}  // namespace forebay::test
