// Who keeps a mount busy.
#pragma once

#include <string>
#include <vector>

namespace forebay::cli {

struct Holder {
  int pid = 0;
  std::string name;
};

// Up to `most` processes with a working directory, a root or an open file at or below `directory` (absolute). Only
// those that the caller may look at; empty when there are none.
std::vector<Holder> find_holders(const std::string& directory, size_t most);

// "1234 (bash), 99 (vim)"
std::string describe_holders(const std::vector<Holder>& holders);

}  // namespace forebay::cli
