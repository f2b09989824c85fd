// What a fuzzer runs may be broken: it must not touch the machine.
#pragma once

#include <string>
#include <vector>

namespace forebay::fuzz {

// As root: this process sees all file systems read-only from now on, but for its working directory, and for a new tmpfs
// where temporary directories go. For others, whose rights are few, nothing is done. Ends the process if it cannot.
// Call it before there are threads.
void confine();

// What this process has open.
std::vector<std::string> open_descriptors();
// A finding, if that is more than `usual`: after a moment, in which other threads may finish what they are at.
void require_descriptors(const std::vector<std::string>& usual);

// Ends the process with a finding.
[[noreturn]] void finding(const char* what);
inline void require(bool holds, const char* what) {
  if (!holds) finding(what);
}

}  // namespace forebay::fuzz
