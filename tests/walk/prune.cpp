#include "prune.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "planner.h"

namespace forebay::walk {
namespace {

constexpr size_t kMostEntries = 160;
constexpr int64_t kMostBytes = 64 << 20;
constexpr int kMostSteps = 400;

bool is_within(const Place& place, const Place& directory) {
  return place.base == directory.base && (place.path == directory.path || place.path.starts_with(directory.path + "/"));
}

Op removal(const TreeEntry& entry) {
  Op op;
  op.type = find_op_type(S_ISDIR(entry.mode) ? "rmdir" : "unlink");
  op.place = entry.place;
  return op;
}

}  // namespace

void Pruner::plan() {
  if (!planner_.scan_.too_deep.empty()) raise(planner_.scan_.too_deep.front());
  if (planner_.scan_.entries.size() > kMostEntries) remove_entries();
  if (planner_.scan_.bytes > std::max(kMostBytes, 2 * planner_.options_.max_file_bytes)) remove_bytes();
}

// What no path can reach must be brought nearer before it can be removed.
void Pruner::raise(const Place& place) {
  const auto cut = place.path.find('/', place.path.size() / 2);
  if (cut == std::string::npos) return;
  Op op;
  op.type = find_op_type("rename");
  op.place = {place.base, place.path.substr(0, cut)};
  op.place2.path = fmt::format("raised{}", planner_.random_.below(1000));
  op.flags = RENAME_NOREPLACE;
  planner_.enqueue(op);
}

// Whole subtrees at random until a good part is gone; children before their directories.
void Pruner::remove_entries() {
  const auto& entries = planner_.scan_.entries;
  std::vector<bool> chosen(entries.size(), false);
  size_t count = 0;
  while (count < entries.size() / 2) {
    const auto& root = planner_.random_.pick(entries).place;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (chosen[i] || !is_within(entries[i].place, root)) continue;
      chosen[i] = true;
      ++count;
    }
  }
  int planned = 0;
  for (size_t i = entries.size(); i-- > 0 && planned < kMostSteps;) {
    if (!chosen[i]) continue;
    planner_.enqueue(removal(entries[i]));
    ++planned;
  }
}

// The largest files, until half of the bytes are gone.
void Pruner::remove_bytes() {
  std::vector<const TreeEntry*> files = planner_.files_;
  std::sort(files.begin(), files.end(), [](const auto* a, const auto* b) { return a->size > b->size; });
  int64_t left = planner_.scan_.bytes;
  for (const auto* file : files) {
    if (left < kMostBytes / 2) break;
    planner_.enqueue(removal(*file));
    left -= file->size;
  }
}

}  // namespace forebay::walk
