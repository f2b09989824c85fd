#include "cli/holders.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

// Reads links only: the mount itself is not asked.
bool points_into(const fs::path& link, const std::string& directory) {
  std::error_code error;
  const std::string target = fs::read_symlink(link, error).string();
  return !error && target.starts_with(directory) &&
         (target.size() == directory.size() || target[directory.size()] == '/');
}

// The entries of "fd" and "map_files" are links to the files that are open or mapped.
bool any_points_into(const fs::path& links, const std::string& directory) {
  std::error_code error;
  for (fs::directory_iterator entry(links, error), end; !error && entry != end; entry.increment(error)) {
    if (points_into(entry->path(), directory)) return true;
  }
  return false;
}

bool holds(const fs::path& process, const std::string& directory) {
  return points_into(process / "cwd", directory) || points_into(process / "root", directory) ||
         points_into(process / "exe", directory) || any_points_into(process / "fd", directory) ||
         any_points_into(process / "map_files", directory);
}

}  // namespace

std::vector<Holder> find_holders(const std::string& directory, size_t most) {
  std::vector<Holder> holders;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    int pid = 0;
    const auto [rest, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc() || *rest != '\0' || pid == ::getpid() || !holds(entry->path(), directory)) continue;
    Holder holder{pid, "?"};
    std::ifstream(entry->path() / "comm") >> holder.name;
    holders.push_back(std::move(holder));
    if (holders.size() == most) break;
  }
  return holders;
}

std::string describe_holders(const std::vector<Holder>& holders) {
  std::string list;
  for (const Holder& holder : holders)
    list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", holder.pid, holder.name);
  return list;
}

}  // namespace forebay::cli
