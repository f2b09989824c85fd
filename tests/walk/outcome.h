// What an operation gave on one side, and whether two sides agree.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <unordered_set>

namespace forebay::walk {

class Identity;

struct FileStat {
  mode_t mode = 0;
  uint64_t nlink = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  int64_t size = 0;
  uint64_t device_number = 0;
  uint64_t inode = 0;
  int64_t mtime_seconds = 0;
  int64_t mtime_nanoseconds = 0;
};

FileStat to_file_stat(const struct stat& from);
std::string to_text(const FileStat& stat);

// Times that the walk sets lie before this; times that a change sets lie after it. So one look tells which it is.
inline constexpr int64_t kMarkerLimit = 1'600'000'000;

struct StatRules {
  bool dir_nlink = true;
  bool mtime = true;
  bool dir_mtime = true;
  bool exact_mtime = false;  // regular files: equal, whoever set it
  int64_t mtime_slack = 600;
  // Inodes of the model whose mtime is open: stored to through a mapping and not yet synced.
  const std::unordered_set<uint64_t>* open_mtimes = nullptr;
  Identity* identity = nullptr;
};

// Empty if they agree.
std::string stat_difference(const FileStat& subject, const FileStat& model, const StatRules& rules);

struct Outcome {
  int64_t value = 0;
  int error = 0;
  int64_t position = -1;
  std::string bytes;  // everything the call returned: data, or a listing in a fixed form
  bool has_stat = false;
  int stat_error = 0;
  FileStat stat;
  std::string fault;  // this side contradicts itself

  void clear();
  // Takes the return value of a system call, and errno with it.
  bool take(int64_t result);
  std::string to_text() const;
};

std::string outcome_difference(const Outcome& subject, const Outcome& model, const StatRules& rules);

}  // namespace forebay::walk
