#include "tests/support/slow_outside.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/support/binaries.h"
#include "tests/support/temp_dir.h"

namespace forebay::test {

SlowOutside::SlowOutside(const std::string& mountpoint, const std::vector<std::string>& knobs)
    : mountpoint_(mountpoint), backing_(mountpoint + ".backing") {
  if (::mkdir(backing_.c_str(), 0755) != 0) throw std::runtime_error("cannot make " + backing_);
  std::vector<const char*> words{FOREBAY_SLOWFS_BINARY, backing_.c_str(), mountpoint_.c_str()};
  for (const std::string& knob : knobs) words.push_back(knob.c_str());
  words.push_back(nullptr);
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execv(words[0], const_cast<char* const*>(words.data()));
    ::_exit(127);
  }
  // There is no event for a mount that appears, other than polling the mount table.
  constexpr auto kLongest = std::chrono::seconds(30);
  const auto deadline = std::chrono::steady_clock::now() + kLongest;
  while (!is_mounted(mountpoint_)) {
    if (::waitpid(process_, nullptr, WNOHANG) != 0 || std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("slowfs does not mount on " + mountpoint_);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

SlowOutside::~SlowOutside() {
  ::umount2(mountpoint_.c_str(), MNT_DETACH);
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
}

std::string SlowOutside::take_counts() const {
  char counts[4096];
  const ssize_t bytes = ::getxattr(mountpoint_.c_str(), "user.slowfs.count", counts, sizeof(counts));
  if (bytes < 0) throw std::runtime_error("no counts of " + mountpoint_);
  return {counts, static_cast<size_t>(bytes)};
}

}  // namespace forebay::test
