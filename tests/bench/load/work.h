// Work: what one of several processes does, phase by phase, as it is told.
#pragma once

#include <cstdint>
#include <string>

namespace forebay::load {

// What a phase has done.
struct Done {
  uint64_t operations = 0;
  uint64_t bytes = 0;
};

// One of `ranks` processes, that all do the same at the same time.
struct Place {
  std::string directory;
  uint64_t rank = 0;
  uint64_t ranks = 1;
};

class Work {
 public:
  virtual ~Work() = default;

  // Whether there is such a phase.
  virtual bool knows(const std::string& phase) const = 0;
  // Does it. `shift`: with what the process of so many ranks further made, instead of what this one made. Failures
  // throw std::runtime_error.
  virtual Done run(const std::string& phase, uint64_t shift) = 0;
};

// A failure with what errno says.
[[noreturn]] void fail_with_errno(const std::string& what);

}  // namespace forebay::load
