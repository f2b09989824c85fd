#include "cachefs/delegations.h"

#include <algorithm>
#include <utility>

namespace forebay::cachefs {

void Delegations::add(const Question& question, InodeId id, Delegation delegation,
                      std::chrono::milliseconds valid_for) {
  const auto until = question.asked_at_ + std::min(valid_for, kLongest);
  const std::lock_guard lock(mutex_);
  if (news_ != question.news_) return;
  if (young_.size() == kMostOfGeneration) old_ = std::exchange(young_, {});
  young_.insert_or_assign(id, Entry{std::move(delegation), until});
}

Delegations::Entry* Delegations::find_entry(InodeId id) {
  for (Generation* generation : {&young_, &old_}) {
    const auto found = generation->find(id);
    if (found != generation->end()) return &found->second;
  }
  return nullptr;
}

std::optional<Delegations::Delegation> Delegations::find(InodeId id) {
  const std::lock_guard lock(mutex_);
  const Entry* const found = find_entry(id);
  return found != nullptr && Clock::now() < found->until ? std::optional(found->delegation) : std::nullopt;
}

void Delegations::written(InodeId id) {
  const std::lock_guard lock(mutex_);
  ++news_;
  if (Entry* const found = find_entry(id)) found->delegation.is_empty = false;
}

void Delegations::end(InodeId id) {
  const std::lock_guard lock(mutex_);
  young_.erase(id);
  old_.erase(id);
}

void Delegations::revoke(InodeId id) {
  ++news_;
  end(id);
}

void Delegations::revoke_all() {
  const std::lock_guard lock(mutex_);
  ++news_;
  young_.clear();
  old_.clear();
}

}  // namespace forebay::cachefs
