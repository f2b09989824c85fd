// What there is in the model, for the planner to choose from.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "op.h"
#include "side.h"

namespace forebay::walk {

struct TreeEntry {
  Place place;
  mode_t mode = 0;
  int64_t size = 0;
  uint64_t inode = 0;
};

struct TreeScan {
  std::vector<TreeEntry> entries;  // a directory before what is in it, otherwise by name
  int64_t bytes = 0;
  // Directories whose contents are beyond the reach of a path.
  std::vector<Place> too_deep;

  std::unordered_set<uint64_t> inodes() const;
  // Null if no name leads to the inode.
  const TreeEntry* find(uint64_t inode) const;
};

// The thread's own subtree and its own names in the shared one.
TreeScan scan_tree(const Side& side, int thread);

}  // namespace forebay::walk
