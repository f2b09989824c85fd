#include "state_file.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "text.h"

namespace forebay::walk {
namespace {

void write_thread(std::ostream& out, const SavedThread& thread) {
  out << fmt::format("thread {}\n", thread.steps_done);
  out << fmt::format("random {} {} {} {}\n", thread.random[0], thread.random[1], thread.random[2], thread.random[3]);
  if (thread.op) out << "op " << serialize(*thread.op) << "\n";
  for (const auto& handle : thread.handles)
    out << fmt::format("handle {} {} {} {} {}\n", handle.slot, handle.place.base, handle.flags, handle.position,
                       to_hex(handle.place.path));
  for (const auto& [model, subject] : thread.inodes) out << fmt::format("inode {} {}\n", model, subject);
}

// One line of the state file; what it is about is its first word.
void read_line(const std::string& line, SavedWalk& saved, Options& options) {
  std::istringstream words(line);
  std::string word;
  words >> word;
  if (word == "seed") {
    words >> options.seed;
    options.seed_given = true;
  } else if (word == "threads") {
    words >> options.threads;
  } else if (word == "max-file-bytes") {
    words >> options.max_file_bytes;
  } else if (word == "thread") {
    words >> saved.threads.emplace_back().steps_done;
  } else if (saved.threads.empty()) {
    throw std::runtime_error("state file: not understood: " + line);
  } else if (word == "random") {
    for (auto& number : saved.threads.back().random) words >> number;
  } else if (word == "op") {
    saved.threads.back().op = deserialize(line.substr(3));
  } else if (word == "handle") {
    auto& handle = saved.threads.back().handles.emplace_back();
    std::string path;
    words >> handle.slot >> handle.place.base >> handle.flags >> handle.position >> path;
    handle.place.path = from_hex(path);
  } else if (word == "inode") {
    auto& pair = saved.threads.back().inodes.emplace_back();
    words >> pair.first >> pair.second;
  } else {
    throw std::runtime_error("state file: not understood: " + line);
  }
  if (words.fail()) throw std::runtime_error("state file: incomplete: " + line);
}

}  // namespace

void write_state(const SavedWalk& saved, const Options& options) {
  const std::string beside = options.state + ".new";
  {
    std::ofstream out(beside);
    out << "forebay-walk-state 1\n";
    out << fmt::format("seed {}\nthreads {}\nmax-file-bytes {}\n", options.seed, options.threads,
                       options.max_file_bytes);
    for (const auto& thread : saved.threads) write_thread(out, thread);
    if (!out.flush()) throw std::runtime_error("cannot write " + beside);
  }
  if (std::rename(beside.c_str(), options.state.c_str()) != 0)
    throw std::runtime_error("cannot write " + options.state);
}

SavedWalk load_state(const std::string& path, Options& options) {
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line) || line != "forebay-walk-state 1")
    throw std::runtime_error(path + ": no state file of a walk");
  SavedWalk saved;
  while (std::getline(in, line)) read_line(line, saved, options);
  if (saved.threads.size() != static_cast<size_t>(options.threads)) throw std::runtime_error(path + ": incomplete");
  return saved;
}

}  // namespace forebay::walk
