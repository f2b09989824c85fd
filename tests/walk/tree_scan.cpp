#include "tree_scan.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>

#include "directory_reader.h"

namespace forebay::walk {
namespace {

constexpr size_t kLongestPath = 3800;

class Scanner {
 public:
  explicit Scanner(TreeScan& scan) : scan_(scan) {}

  // Everything below `directory` whose name in it starts with `prefix`.
  void scan(int directory, int base, const std::string& path, const std::string& prefix) {
    std::vector<DirectoryEntry> entries;
    ::lseek(directory, 0, SEEK_SET);
    read_all_entries(directory, 32'768, entries);
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const auto& entry : entries)
      if (entry.name.starts_with(prefix))
        scan_entry(directory, base, path.empty() ? entry.name : path + "/" + entry.name, entry);
  }

 private:
  void scan_entry(int directory, int base, const std::string& path, const DirectoryEntry& entry) {
    TreeEntry found{{base, path}, static_cast<mode_t>(DTTOIF(entry.type)), 0, entry.inode};
    struct stat status;
    if (S_ISREG(found.mode) && ::fstatat(directory, entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
      scan_.bytes += found.size = status.st_size;
    scan_.entries.push_back(std::move(found));
    if (entry.type != DT_DIR) return;
    if (path.size() > kLongestPath) {
      scan_.too_deep.push_back({base, path});
      return;
    }
    UniqueFd inner(::openat(directory, entry.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (inner) scan(inner.get(), base, path, "");
  }

  TreeScan& scan_;
};

}  // namespace

std::unordered_set<uint64_t> TreeScan::inodes() const {
  std::unordered_set<uint64_t> found;
  for (const auto& entry : entries) found.insert(entry.inode);
  return found;
}

const TreeEntry* TreeScan::find(uint64_t inode) const {
  for (const auto& entry : entries)
    if (entry.inode == inode) return &entry;
  return nullptr;
}

TreeScan scan_tree(const Side& side, int thread) {
  TreeScan scan;
  Scanner scanner(scan);
  scanner.scan(side.thread_root(), kThreadRoot, "", "");
  const std::string prefix = thread_name(thread) + "-";
  scanner.scan(side.shared_root(), kSharedRoot, "", prefix);
  for (const char* name : {"d0", "d1"}) {
    UniqueFd directory(::openat(side.shared_root(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) scanner.scan(directory.get(), kSharedRoot, name, prefix);
  }
  return scan;
}

}  // namespace forebay::walk
