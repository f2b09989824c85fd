#include "cachefs/absent_names.h"

#include <algorithm>
#include <utility>

namespace forebay::cachefs {

std::optional<std::chrono::milliseconds> AbsentNames::lacks(InodeId directory, std::string_view name) {
  if (!NameFilter::takes(name)) return {};
  std::unique_lock lock(mutex_);
  auto known = directories_.find(directory);
  if (known == directories_.end()) return {};
  if (known->second.until <= Clock::now()) {
    if (known->second.asking || known->second.made < known->second.worth) return {};
    ask(lock, directory);
    known = directories_.find(directory);
    if (known == directories_.end()) return {};
  }
  const auto left = std::chrono::floor<std::chrono::milliseconds>(known->second.until - Clock::now());
  if (left <= left.zero()) return {};
  const Names& names = *known->second.names;
  if (names.listed.may_have(name) || names.own.may_have(name)) return {};
  return left;
}

void AbsentNames::ask(std::unique_lock<std::mutex>& lock, InodeId directory) {
  const uint64_t question = ++questions_;
  {
    Directory& known = directories_.at(directory);
    known.question = question;
    known.asking = true;
    known.made = 0;
    known.names = std::make_unique<Names>();
  }
  lock.unlock();
  const auto asked_at = Clock::now();
  Result<NamesReply> reply = ask_(directory);
  lock.lock();
  const auto found = directories_.find(directory);
  if (found == directories_.end() || found->second.question != question) return;
  Directory& known = found->second;
  known.asking = false;
  if (!reply || reply->valid_for <= std::chrono::milliseconds::zero()) {
    known.worth = std::min(known.worth * 2, kMostWorth);
    return;
  }
  known.worth = kFirstWorth;
  known.names->listed = std::move(reply->names);
  known.until = asked_at + reply->valid_for;
}

void AbsentNames::made(InodeId directory, std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (directories_.size() >= kMostDirectories && !directories_.contains(directory)) directories_.clear();
  Directory& known = directories_[directory];
  ++known.made;
  if (known.names != nullptr) known.names->own.add(name);
}

void AbsentNames::forget_all() {
  const std::lock_guard lock(mutex_);
  directories_.clear();
}

}  // namespace forebay::cachefs
