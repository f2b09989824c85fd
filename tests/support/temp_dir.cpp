#include "tests/support/temp_dir.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace forebay::test {
namespace {

// All mountpoints, in the order in which they were mounted.
std::vector<std::string> mountpoints() {
  std::vector<std::string> all;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    all.push_back(word);  // our paths hold nothing that the kernel escapes
  }
  return all;
}

}  // namespace

namespace {

std::string usual_base() {
  const char* base = std::getenv("TMPDIR");
  return base == nullptr ? "/tmp" : base;
}

}  // namespace

TempDir::TempDir() : TempDir(usual_base()) {}

TempDir::TempDir(const std::string& base) : path_(base + "/forebay-test-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp " + path_);
  path_ = std::filesystem::canonical(path_).string();
  ::chmod(path_.c_str(), 0755);
}

TempDir::~TempDir() {
  const auto all = mountpoints();
  std::for_each(all.rbegin(), all.rend(), [this](const std::string& mounted) {
    if (mounted.starts_with(path_ + "/")) ::umount2(mounted.c_str(), MNT_DETACH);
  });
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::make(const std::string& name) const {
  std::string whole = *this / name;
  std::filesystem::create_directories(whole);
  return whole;
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content << std::flush;
  if (!file) throw std::runtime_error("writing " + path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("reading " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_mounted(const std::string& path) {
  for (const std::string& mounted : mountpoints()) {
    if (mounted == path) return true;
  }
  return false;
}

}  // namespace forebay::test
