// Inode numbers of the two sides, one to one, over the life of every file.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace forebay::walk {

class Identity {
 public:
  // Learns the pair, or compares it with what was learnt. Empty if all is well.
  std::string check(uint64_t model, uint64_t subject);

  // The model's inode is gone, its number may come back as another file.
  void forget(uint64_t model);

  // Forgets all but these.
  void keep_only(const std::unordered_set<uint64_t>& model_inodes);

  const std::unordered_map<uint64_t, uint64_t>& pairs() const { return subject_of_; }

 private:
  std::unordered_map<uint64_t, uint64_t> subject_of_;
  std::unordered_map<uint64_t, uint64_t> model_of_;
};

}  // namespace forebay::walk
