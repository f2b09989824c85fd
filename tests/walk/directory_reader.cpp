#include "directory_reader.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "text.h"

namespace forebay::walk {

long read_entries(int directory, long size, std::vector<DirectoryEntry>& entries) {
  thread_local std::vector<char> buffer;
  buffer.resize(std::max(buffer.size(), static_cast<size_t>(size)));
  const long count = ::syscall(SYS_getdents64, directory, buffer.data(), size);
  for (long at = 0; at < count;) {
    const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
    const std::string name = entry->d_name;
    if (name != "." && name != "..") entries.push_back({name, entry->d_type, entry->d_ino, entry->d_off});
    at += entry->d_reclen;
  }
  return count;
}

bool read_all_entries(int directory, long size, std::vector<DirectoryEntry>& entries) {
  long count = 0;
  do count = read_entries(directory, size, entries);
  while (count > 0);
  return count == 0;
}

std::string listing(std::vector<DirectoryEntry> entries, std::string& fault) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string text;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0 && entries[i].name == entries[i - 1].name)
      fault = fmt::format("{} is listed twice", printable(entries[i].name));
    text += fmt::format("{} {}\n", type_name(DTTOIF(entries[i].type)), entries[i].name);
  }
  return text;
}

}  // namespace forebay::walk
