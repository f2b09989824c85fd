#include "meta/layout_rules.h"

namespace forebay::meta {

Status LayoutRules::load() {
  ASSIGN_OR_RETURN(const auto rules, store_.layout_rules());
  const std::lock_guard lock(mutex_);
  rules_ = {rules.begin(), rules.end()};
  count_ = rules_.size();
  return {};
}

std::optional<LayoutRule> LayoutRules::find(InodeId directory) {
  const std::lock_guard lock(mutex_);
  const auto found = rules_.find(directory);
  return found == rules_.end() ? std::nullopt : std::optional(found->second);
}

Status LayoutRules::set(InodeId directory, const std::optional<LayoutRule>& rule) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(store_.put_layout_rule(directory, rule));
  if (rule) {
    rules_[directory] = *rule;
  } else {
    rules_.erase(directory);
  }
  count_ = rules_.size();
  return {};
}

}  // namespace forebay::meta
