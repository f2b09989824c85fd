// The subtree that all threads use at once, by operations that commute:
//   shared/tNN-*, shared/d0/tNN-*, shared/d1/tNN-*   names of thread NN
//   shared/stripes   stripe i belongs to thread i % threads
//   shared/append    records of fixed size, each with its own tag, in any order
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options.h"
#include "side.h"

namespace forebay::walk {

inline constexpr int64_t kStripeBytes = 5000;  // no multiple of a page: neighbours share pages
inline constexpr int64_t kStripesPerThread = 40;
inline constexpr int64_t kRecordBytes = 64;

// Makes the subtrees of all threads and the shared one. Throws std::runtime_error if they are there already.
void make_areas(const std::string& root, int threads);

// Opens the two shared files. Throws std::system_error.
void open_shared_files(Side& side);

std::string append_record(int thread, uint64_t step);

// All records of shared/append; a torn one becomes a line in `faults`.
std::vector<std::string> read_records(const Side& side, std::vector<std::string>& faults);

// The differences between the shared files of both sides, with nobody writing.
std::vector<std::string> compare_shared_files(const Side& subject, const Side& model);

}  // namespace forebay::walk
