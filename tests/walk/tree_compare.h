// Whether two directory trees are the same in everything that can be asked of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "outcome.h"

namespace forebay::walk {

struct CompareRules {
  StatRules stat;
  bool skip_common_holes = false;  // do not read what both sides call a hole
  size_t limit = 20;               // differences listed
  std::string record_file;         // how the path of a file of records in any order ends; empty: there is none
  // Which names count in the directory compared first; all if null.
  std::function<bool(const std::string&)> wanted;
};

class TreeCompare {
 public:
  explicit TreeCompare(const CompareRules& rules) : rules_(rules) {}

  // The contents of two directories; `path` is for the messages. Attributes of the two themselves are not compared.
  void compare_roots(int subject, int model, const std::string& path);

  // Two open regular files.
  void compare_files(int subject, int model, const std::string& path);

  void add(const std::string& path, const std::string& text);
  const std::vector<std::string>& differences() const { return differences_; }
  size_t count() const { return count_; }

 private:
  void compare_directories(int subject, int model, const std::string& path, bool top);
  void compare_entry(int subject, int model, const std::string& name, const std::string& path);
  void compare_open_entry(int subject, int model, const std::string& name, const std::string& path, bool directory);
  void compare_links(int subject, int model, const std::string& name, const std::string& path);
  void compare_xattrs(int subject, int model, const std::string& name, const std::string& path);
  void compare_content(int subject, int model, int64_t size, const std::string& path);
  void compare_records(int subject, int model, const std::string& path);
  void compare_hard_links(const FileStat& subject, const FileStat& model, const std::string& path);

  const CompareRules& rules_;
  std::vector<std::string> differences_;
  size_t count_ = 0;
  std::unordered_map<uint64_t, uint64_t> subject_of_;
  std::unordered_map<uint64_t, uint64_t> model_of_;
};

}  // namespace forebay::walk
