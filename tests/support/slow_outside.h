// An external file system that is served by a program of ours (tests/slowfs): one that can be slow or broken, and whose
// removed objects are gone at once, as those of a network file system are.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace forebay::test {

// Mounted on `mountpoint`, over the new directory MOUNTPOINT.backing, until the end. Failures throw.
class SlowOutside {
 public:
  explicit SlowOutside(const std::string& mountpoint, const std::vector<std::string>& knobs = {});
  ~SlowOutside();
  SlowOutside(const SlowOutside&) = delete;
  SlowOutside& operator=(const SlowOutside&) = delete;

  // What it stores, past the program.
  std::string behind(const std::string& name) const { return backing_ + "/" + name; }
  // Operations since the last call: "getattr=3 open=1".
  std::string take_counts() const;

 private:
  std::string mountpoint_;
  std::string backing_;
  pid_t process_ = -1;
};

}  // namespace forebay::test
