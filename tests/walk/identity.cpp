#include "identity.h"

#include <fmt/format.h>

#include <vector>

namespace forebay::walk {

std::string Identity::check(uint64_t model, uint64_t subject) {
  const auto [known, is_new] = subject_of_.try_emplace(model, subject);
  if (known->second != subject) return fmt::format(" st_ino is {}, was {} (model's {})", subject, known->second, model);
  if (!is_new) return {};
  const auto [other, unused] = model_of_.try_emplace(subject, model);
  if (unused || other->second == model) return {};
  subject_of_.erase(model);
  return fmt::format(" st_ino {} (model's {}) is that of another living file (model's {})", subject, model,
                     other->second);
}

void Identity::forget(uint64_t model) {
  const auto known = subject_of_.find(model);
  if (known == subject_of_.end()) return;
  model_of_.erase(known->second);
  subject_of_.erase(known);
}

void Identity::keep_only(const std::unordered_set<uint64_t>& model_inodes) {
  std::vector<uint64_t> gone;
  for (const auto& [model, subject] : subject_of_)
    if (!model_inodes.contains(model)) gone.push_back(model);
  for (uint64_t model : gone) forget(model);
}

}  // namespace forebay::walk
