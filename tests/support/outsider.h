// Somebody who works in the external directory without knowing of the cache, and looks at once whether the mount shows
// it.
#pragma once

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "tests/support/mounted_cache.h"

namespace forebay::test {

// Changes files in the external directory's subdirectory `other` until stop(): creates, rewrites (also keeping size and
// mtime), renames, unlinks. After each change the mount must show what is outside (consistency.validate=always).
class Outsider {
 public:
  static constexpr char kDirectory[] = "other";

  Outsider(const MountedCache& cache, uint64_t seed);
  ~Outsider();
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;

  // "" when all that was done was seen, else what was not.
  std::string stop();
  uint64_t changes() const { return changes_; }
  // Whether it has given up already.
  bool has_fault() const { return has_fault_; }

 private:
  void work();
  void change();
  void create_or_replace(const std::string& name);
  void rewrite_in_secret(const std::string& name);
  void rename(const std::string& from, const std::string& to);
  void unlink(const std::string& name);
  std::string difference();

  uint64_t random(uint64_t below) { return std::uniform_int_distribution<uint64_t>(0, below - 1)(random_); }

  std::string outside_, inside_;
  std::mt19937_64 random_;
  std::map<std::string, std::string> files_;  // what is outside
  std::string fault_;
  std::atomic<uint64_t> changes_{0};
  std::atomic<bool> has_fault_{false};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace forebay::test
