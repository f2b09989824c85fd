// Directory entries as the kernel gives them, with their positions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace forebay::walk {

struct DirectoryEntry {
  std::string name;
  unsigned char type = 0;
  uint64_t inode = 0;
  int64_t next = 0;  // the position behind it
};

// One getdents64 call with a buffer of `size` bytes; appends to `entries` all but "." and "..".
// Returns what the call did: bytes, 0 at the end, -1.
long read_entries(int directory, long size, std::vector<DirectoryEntry>& entries);

// All the rest. False and errno if it fails.
bool read_all_entries(int directory, long size, std::vector<DirectoryEntry>& entries);

// "type name" lines, sorted by name. Sets `fault` if a name occurs twice.
std::string listing(std::vector<DirectoryEntry> entries, std::string& fault);

}  // namespace forebay::walk
