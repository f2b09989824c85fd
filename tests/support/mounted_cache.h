// A cache mounted over a directory, as a person has it: only the command line and the mounted tree are touched.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/process.h"
#include "tests/support/reaper.h"
#include "tests/support/temp_dir.h"

namespace forebay::test {

using Json = nlohmann::json;
using Settings = std::vector<std::string>;

// FOREBAY_TEST_SETTINGS="KEY=VALUE KEY=VALUE": what all mounts of a test run have in common. A test's own come later
// and so count more.
Settings common_settings();

// How to mount. With `faults`, even with none ("") of them, the program is the one that safeties can be taken out of.
struct MountWith {
  Settings settings;  // "KEY=VALUE"
  std::optional<std::string> faults;
  std::string options = {};             // for -o
  std::vector<std::string> words = {};  // more of the command line
};

// Holds the directories and, between mount() and unmount(), the mount. Whatever is mounted at the end is killed: a test
// that wants its data outside unmounts. Failures throw, unless the function returns a ProcessResult.
class MountedCache {
 public:
  MountedCache();
  ~MountedCache();
  MountedCache(const MountedCache&) = delete;
  MountedCache& operator=(const MountedCache&) = delete;

  void mount(const MountWith& with = {});
  ProcessResult try_mount(const MountWith& with = {});
  void unmount();
  ProcessResult try_unmount();
  // kill -9 of the serving process, at any moment; then the dead mount is detached.
  void kill();
  // The same in two steps, for walks that shall see the death before the mountpoint changes under them.
  void kill_process();
  void detach();
  // The serving process does nothing until it resumes; kill() and the end of this go on working.
  void pause();
  void resume();
  // A request to end in order, without a wait; then true if the process ends within that time.
  void terminate();
  bool ends_within(std::chrono::milliseconds limit);

  // forebay WORDS
  void run(const std::vector<std::string>& words);
  ProcessResult try_run(const std::vector<std::string>& words);
  // forebay COMMAND INSIDE(NAME)
  void run(const std::string& command, const std::string& name);
  ProcessResult try_run(const std::string& command, const std::string& name);
  Json status();
  Json stat(const std::string& name);
  // Asks for the status until the condition holds; false if that does not happen. It starts no process: a child that is
  // started closes its copies of our open files, which is news to the file system.
  bool wait_for(const std::function<bool(const Json&)>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(30));
  bool wait_until_clean();

  const TempDir& root() const { return root_; }
  const std::string& external() const { return external_; }
  const std::string& mountpoint() const { return mountpoint_; }
  const std::string& cache() const { return cache_; }
  std::string inside(const std::string& name) const { return mountpoint_ + "/" + name; }
  std::string outside(const std::string& name) const { return external_ + "/" + name; }

 private:
  TempDir root_;
  Reaper reaper_{root_.path()};
  std::optional<TempDir> outside_;  // below FOREBAY_TEST_EXTERNAL, if that is set
  std::string external_;
  std::string mountpoint_ = root_.make("mount");
  std::string cache_ = root_.make("cache");
  std::string binary_;
  int process_ = -1;  // a pidfd of the process that serves the mount
};

// What cannot be tested here is skipped, with the reason.
class MountTest : public testing::Test {
 protected:
  void SetUp() override;
};

}  // namespace forebay::test
