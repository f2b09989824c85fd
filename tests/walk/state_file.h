// What a walk leaves behind when the subject's daemon dies, for a later one to continue.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "op.h"
#include "options.h"
#include "random.h"

namespace forebay::walk {

// A handle that the operation under way used: where its file is now, and how far it had been read or written.
struct SavedHandle {
  int slot = -1;
  Place place;
  int64_t flags = 0;
  int64_t position = 0;
};

struct SavedThread {
  uint64_t steps_done = 0;
  Random::State random{};
  std::optional<Op> op;
  std::vector<SavedHandle> handles;                   // those that `op` needs
  std::vector<std::pair<uint64_t, uint64_t>> inodes;  // model, subject
};

struct SavedWalk {
  std::vector<SavedThread> threads;
};

// Throws std::runtime_error if the file cannot be written.
void write_state(const SavedWalk& saved, const Options& options);

// Reads the file and puts its seed, thread count and limits into the options. Throws std::runtime_error.
SavedWalk load_state(const std::string& path, Options& options);

}  // namespace forebay::walk
