// What the command line says.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace forebay::walk {

// Parts of operations that can be left out one by one with --no-op, as whole operations can.
struct Features {
  bool o_direct = true;
  bool o_tmpfile = true;
  bool o_sync = true;
  bool o_append = true;
  bool other_user = true;
  bool deep_path = true;
  bool long_name = true;
  bool negative_time = true;
  bool device = true;
  bool suid = true;
  bool shared = true;
  bool big_xattr = true;   // values near the limits, which differ between file systems
  bool long_link = true;   // link targets over 1023 bytes: XFS has none
  bool idle_chown = true;  // chown(-1, -1), which FUSE does not tell from a write that takes setuid bits away
  bool verify = true;

  bool disable(const std::string& name);
  static std::string names();
};

struct Options {
  enum class Mode { kWalk, kCompare, kHelp };

  Mode mode = Mode::kWalk;
  std::string subject;
  std::string model;
  std::string final_compare;
  std::string log;
  std::string state;
  std::string resume;
  uint64_t seed = 0;
  bool seed_given = false;
  uint64_t steps = 100'000;
  int threads = 1;
  uint64_t check_every = 2000;
  int64_t max_file_bytes = 32 << 20;
  int64_t mtime_slack = 600;
  std::set<std::string> no_ops;
  std::set<std::string> only_ops;
  std::set<std::string> ignored_names;
  Features features;
  uid_t as_user = 0;
  bool dir_nlink = true;
  bool mtime = true;
  bool dir_mtime = true;
  bool exact_mtime = false;
  bool strict_holes = false;
  bool allow_unsupported = false;
  bool tolerate_death = false;
  bool verbose = false;

  // Facts found out at the start, not given.
  bool privileged = true;      // may become other users
  bool subject_nodev = false;  // the subject is mounted so that devices cannot be opened

  // The words that repeat this run.
  std::vector<std::string> words;
  std::string repeat_command() const;
};

// Throws std::invalid_argument with one line that says what is wrong.
Options parse_options(int argc, char** argv);

std::string usage();

}  // namespace forebay::walk
