// Positive controls: with a safety taken out, the check that guards it must fail. A check that passes either way would
// guard nothing.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/outsider.h"
#include "tests/support/walk.h"

namespace forebay::test {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

constexpr uint64_t kSteps = 600;

// Each check runs on fresh directories, with the safeties `faults` taken out.
using Check = AssertionResult (*)(const std::string& faults);

AssertionResult everything_is_outside_at_the_end(const std::string& faults) {
  MountedCache cache;
  cache.mount({.settings = {"flush.delay=50ms", "fuse.passthrough=auto"}, .faults = faults});
  Walk walk(cache, kSteps);
  if (const AssertionResult agreed = walk.agrees(); !agreed) return agreed;
  // Not by an unmount: that would wait for ever for what is never out.
  constexpr std::chrono::seconds kLongest(20);
  if (!cache.wait_for([](const Json& status) { return status.at("dirty_files") == 0; }, kLongest)) {
    return AssertionFailure() << "not everything is flushed";
  }
  return walk.external_equals_model();
}

// What the kernel writes to chunk files itself (passthrough).
AssertionResult what_nobody_was_told_of_is_outside(const std::string& faults) {
  MountedCache cache;
  cache.mount({.settings = {"flush.delay=50ms", "fuse.passthrough=on"}, .faults = faults});
  constexpr size_t kBytes = 100'000;
  for (const uint64_t version : {1, 2}) {
    {
      const OpenFile file(cache.inside("a"), O_WRONLY | O_CREAT);
      file.write_at(0, noise(kBytes, version));
    }
    if (!cache.wait_until_clean()) return AssertionFailure() << "not everything is flushed";
    const std::string wrong = content_difference(noise(kBytes, version), read_file(cache.outside("a")));
    if (!wrong.empty()) return AssertionFailure() << "version " << version << ": " << wrong;
  }
  return AssertionSuccess();
}

AssertionResult everything_is_here_after_a_kill(const std::string& faults) {
  MountedCache cache;
  const MountWith with{.settings = {"flush.policy=manual"}, .faults = faults};
  cache.mount(with);
  Walk walk(cache, kSteps);
  if (const AssertionResult agreed = walk.agrees(); !agreed) return agreed;
  cache.kill();
  cache.mount(with);
  if (const AssertionResult here = walk.mount_equals_model(); !here) return here;
  cache.unmount();
  return walk.external_equals_model();
}

AssertionResult small_cache_keeps_everything(const std::string& faults) {
  MountedCache cache;
  // With "manual" it is the evictor alone that has anything flushed, and with "always" nothing hides behind the
  // kernel's caches.
  cache.mount({.settings = {"cache.capacity=4MiB", "cache.chunk_size=64KiB", "flush.policy=manual",
                            "consistency.validate=always"},
               .faults = faults});
  constexpr uint64_t kFiles = 16;
  constexpr size_t kBytes = 1 << 20;
  for (uint64_t i = 0; i < kFiles; ++i) {
    write_file(cache.inside(std::to_string(i)), noise(kBytes, i));
    read_file(cache.inside(std::to_string(i)));  // used again: it is among those that may leave
  }
  for (uint64_t i = 0; i < kFiles; ++i) {
    const std::string wrong = content_difference(noise(kBytes, i), read_file(cache.inside(std::to_string(i))));
    if (!wrong.empty()) return AssertionFailure() << "file " << i << ": " << wrong;
  }
  return AssertionSuccess();
}

AssertionResult changes_outside_are_seen(const std::string& faults) {
  MountedCache cache;
  cache.mount({.settings = {"consistency.validate=always"}, .faults = faults});
  Outsider outsider(cache, walk_seed());
  constexpr uint64_t kChanges = 300;
  while (outsider.changes() < kChanges && !outsider.has_fault()) std::this_thread::yield();
  const std::string fault = outsider.stop();
  return fault.empty() ? AssertionSuccess() : AssertionFailure() << fault;
}

AssertionResult both_versions_are_kept(const std::string& faults) {
  MountedCache cache;
  cache.mount({.settings = {"flush.policy=manual", "consistency.validate=always"}, .faults = faults});
  write_file(cache.outside("a"), "base");
  write_file(cache.inside("a"), "ours");
  write_file(cache.outside("a"), "theirs");
  cache.try_run("flush", "a");
  std::set<std::string> contents;
  for (const std::string& name : names_in(cache.external())) contents.insert(read_file(cache.outside(name)));
  if (contents == std::set<std::string>{"ours", "theirs"}) return AssertionSuccess();
  return AssertionFailure() << contents.size() << " versions are left";
}

struct Control {
  const char* fault;
  Check check;
};

class Controls : public MountTest, public testing::WithParamInterface<Control> {};

TEST_P(Controls, CheckFailsWithTheSafetyTakenOutAndOnlyThen) {
  EXPECT_TRUE(GetParam().check(""));
  EXPECT_FALSE(GetParam().check(GetParam().fault)) << "nothing notices " << GetParam().fault;
}

INSTANTIATE_TEST_SUITE_P(, Controls,
                         testing::Values(Control{"skip-flush", everything_is_outside_at_the_end},
                                         Control{"trust-leases", what_nobody_was_told_of_is_outside},
                                         Control{"lose-dirty-bit", everything_is_here_after_a_kill},
                                         Control{"forget-presence", everything_is_here_after_a_kill},
                                         Control{"evict-dirty", small_cache_keeps_everything},
                                         Control{"skip-validation", changes_outside_are_seen},
                                         Control{"ignore-conflict", both_versions_are_kept}),
                         [](const auto& control) {
                           std::string name = control.param.fault;
                           std::erase(name, '-');
                           return name;
                         });

using Product = MountTest;

// It cannot be talked into any of this.
TEST_F(Product, IgnoresTheEnvironment) {
  ::setenv("FOREBAY_FAULTS", "skip-flush,lose-dirty-bit", 1);
  MountedCache cache;
  cache.mount();
  ::unsetenv("FOREBAY_FAULTS");
  write_file(cache.inside("a"), "kept");
  cache.unmount();
  EXPECT_EQ(read_file(cache.outside("a")), "kept");
}

}  // namespace
}  // namespace forebay::test
