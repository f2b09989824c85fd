#include "tree_compare.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>

#include "directory_reader.h"
#include "fd.h"
#include "shared_area.h"
#include "text.h"
#include "xattr_set.h"

namespace forebay::walk {
namespace {

constexpr int64_t kBlock = 256 << 10;
constexpr int64_t kWorthSeeking = 1 << 20;

// The next offset that is not in a hole, or the size.
int64_t next_data(int fd, int64_t from, int64_t size) {
  const int64_t data = ::lseek(fd, from, SEEK_DATA);
  if (data >= 0) return data;
  return errno == ENXIO ? size : from;
}

// All of a block, or up to the end; -1 with errno.
ssize_t read_block(int fd, std::string& buffer, int64_t offset) {
  buffer.resize(kBlock);
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = ::pread(fd, buffer.data() + done, buffer.size() - done, offset + static_cast<int64_t>(done));
    if (count < 0) return -1;
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  buffer.resize(done);
  return static_cast<ssize_t>(done);
}

}  // namespace

void TreeCompare::add(const std::string& path, const std::string& text) {
  ++count_;
  if (differences_.size() < rules_.limit) differences_.push_back(fmt::format("{}: {}", printable(path), text));
}

void TreeCompare::compare_roots(int subject, int model, const std::string& path) {
  compare_directories(subject, model, path, true);
}

void TreeCompare::compare_directories(int subject, int model, const std::string& path, bool top) {
  const std::string inside = path + "/";
  auto read = [&](int fd) {
    std::vector<DirectoryEntry> entries;
    ::lseek(fd, 0, SEEK_SET);
    if (!read_all_entries(fd, 32'768, entries)) add(path, "cannot be read: " + error_name(errno));
    std::map<std::string, DirectoryEntry> by_name;
    for (auto& entry : entries) {
      if (top && rules_.wanted && !rules_.wanted(entry.name)) continue;
      if (by_name.contains(entry.name)) add(inside + entry.name, "is listed twice");
      by_name[entry.name] = entry;
    }
    return by_name;
  };
  const auto in_subject = read(subject);
  const auto in_model = read(model);
  for (const auto& [name, entry] : in_subject)
    if (!in_model.contains(name)) add(inside + name, "is not in the model");
  for (const auto& [name, entry] : in_model) {
    const auto found = in_subject.find(name);
    if (found == in_subject.end()) {
      add(inside + name, "is missing in the subject");
      continue;
    }
    if (found->second.type != entry.type)
      add(inside + name, fmt::format("d_type {} against {}", found->second.type, entry.type));
    compare_entry(subject, model, name, inside + name);
  }
}

void TreeCompare::compare_entry(int subject, int model, const std::string& name, const std::string& path) {
  struct stat subject_status;
  struct stat model_status;
  const bool subject_there = ::fstatat(subject, name.c_str(), &subject_status, AT_SYMLINK_NOFOLLOW) == 0;
  const int subject_error = subject_there ? 0 : errno;
  const bool model_there = ::fstatat(model, name.c_str(), &model_status, AT_SYMLINK_NOFOLLOW) == 0;
  const int model_error = model_there ? 0 : errno;
  if (subject_error != model_error)
    add(path, fmt::format("stat: {} against {}", error_name(subject_error), error_name(model_error)));
  if (!subject_there || !model_there) return;
  const FileStat subject_stat = to_file_stat(subject_status);
  const FileStat model_stat = to_file_stat(model_status);
  if (const auto difference = stat_difference(subject_stat, model_stat, rules_.stat); !difference.empty())
    add(path, fmt::format("stat:{} (inodes {} and {})", difference, subject_stat.inode, model_stat.inode));
  compare_hard_links(subject_stat, model_stat, path);
  if (S_ISLNK(model_stat.mode)) compare_links(subject, model, name, path);
  compare_xattrs(subject, model, name, path);
  if ((subject_stat.mode & S_IFMT) != (model_stat.mode & S_IFMT)) return;
  if (S_ISDIR(model_stat.mode) || S_ISREG(model_stat.mode))
    compare_open_entry(subject, model, name, path, S_ISDIR(model_stat.mode));
}

void TreeCompare::compare_open_entry(int subject, int model, const std::string& name, const std::string& path,
                                     bool directory) {
  const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (directory ? O_DIRECTORY : 0);
  const UniqueFd in_subject(::openat(subject, name.c_str(), flags));
  const int subject_error = in_subject ? 0 : errno;
  const UniqueFd in_model(::openat(model, name.c_str(), flags));
  const int model_error = in_model ? 0 : errno;
  if (subject_error != model_error)
    add(path, fmt::format("open: {} against {}", error_name(subject_error), error_name(model_error)));
  if (!in_subject || !in_model) return;
  if (directory)
    compare_directories(in_subject.get(), in_model.get(), path, false);
  else
    compare_files(in_subject.get(), in_model.get(), path);
}

void TreeCompare::compare_files(int subject, int model, const std::string& path) {
  // Looking for holes moves the file positions, which belong to the walk.
  const off_t subject_position = ::lseek(subject, 0, SEEK_CUR);
  const off_t model_position = ::lseek(model, 0, SEEK_CUR);
  struct stat subject_status;
  struct stat model_status;
  if (::fstat(subject, &subject_status) != 0 || ::fstat(model, &model_status) != 0)
    add(path, "fstat: " + error_name(errno));
  else if (!rules_.record_file.empty() && path.ends_with(rules_.record_file))
    compare_records(subject, model, path);
  else
    compare_content(subject, model, std::max(subject_status.st_size, model_status.st_size), path);
  ::lseek(subject, subject_position, SEEK_SET);
  ::lseek(model, model_position, SEEK_SET);
}

void TreeCompare::compare_content(int subject, int model, int64_t size, const std::string& path) {
  thread_local std::string subject_block;
  thread_local std::string model_block;
  for (int64_t at = 0; at < size; at += kBlock) {
    if (rules_.skip_common_holes && size > kWorthSeeking) {
      at = std::min(next_data(subject, at, size), next_data(model, at, size));
      if (at >= size) break;
    }
    if (read_block(subject, subject_block, at) < 0 || read_block(model, model_block, at) < 0) {
      add(path, fmt::format("read at {}: {}", at, error_name(errno)));
      return;
    }
    if (subject_block == model_block) continue;
    add(path, fmt::format("content from {}: {}", at, bytes_difference(subject_block, model_block)));
    return;
  }
}

void TreeCompare::compare_records(int subject, int model, const std::string& path) {
  auto read = [&](int fd) {
    std::vector<std::string> records;
    std::string block;
    for (int64_t at = 0; read_block(fd, block, at) > 0; at += kBlock)
      for (size_t i = 0; i < block.size(); i += kRecordBytes) records.push_back(block.substr(i, kRecordBytes));
    std::sort(records.begin(), records.end());
    return records;
  };
  const auto in_subject = read(subject);
  const auto in_model = read(model);
  if (in_subject != in_model)
    add(path, fmt::format("other records: {} against {}", in_subject.size(), in_model.size()));
}

void TreeCompare::compare_links(int subject, int model, const std::string& name, const std::string& path) {
  auto target = [&](int directory) {
    std::string text(4097, '\0');
    const ssize_t length = ::readlinkat(directory, name.c_str(), text.data(), text.size());
    text.resize(length < 0 ? 0 : static_cast<size_t>(length));
    return length < 0 ? error_name(errno) : text;
  };
  const std::string in_subject = target(subject);
  const std::string in_model = target(model);
  if (in_subject != in_model)
    add(path, fmt::format("link target {} against {}", printable(in_subject), printable(in_model)));
}

void TreeCompare::compare_xattrs(int subject, int model, const std::string& name, const std::string& path) {
  const auto in_subject = read_xattrs(subject, name);
  const auto in_model = read_xattrs(model, name);
  for (const auto& [key, value] : in_subject)
    if (!in_model.contains(key)) add(path, fmt::format("xattr {} is not in the model", printable(key)));
  for (const auto& [key, value] : in_model) {
    const auto found = in_subject.find(key);
    if (found == in_subject.end())
      add(path, fmt::format("xattr {} is missing in the subject", printable(key)));
    else if (found->second != value)
      add(path, fmt::format("xattr {}: {}", printable(key), bytes_difference(found->second, value)));
  }
}

void TreeCompare::compare_hard_links(const FileStat& subject, const FileStat& model, const std::string& path) {
  if (S_ISDIR(model.mode) || (subject.nlink < 2 && model.nlink < 2)) return;
  const auto to_subject = subject_of_.try_emplace(model.inode, subject.inode).first;
  const auto to_model = model_of_.try_emplace(subject.inode, model.inode).first;
  if (to_subject->second != subject.inode || to_model->second != model.inode)
    add(path, "is a hard link to other names than in the model");
}

}  // namespace forebay::walk
