#include "meta/seen_names.h"

namespace forebay::meta {

SeenNames::Entry* SeenNames::entry_of(const Name& name, SteadyTime now) {
  for (Entries* entries : {&young_, &old_}) {
    const auto found = entries->find(name);
    if (found != entries->end()) return now - found->second.began_at < ttl_ ? &found->second : nullptr;
  }
  return nullptr;
}

std::optional<SeenNames::Answer> SeenNames::find(InodeId directory, std::string_view name) {
  if (ttl_ == ttl_.zero()) return {};
  const Name key{directory, name};
  const std::lock_guard lock(mutex_);
  const SteadyTime now = std::chrono::steady_clock::now();
  const Entry* const entry = entry_of(key, now);
  if (entry == nullptr || !entry->found) return {};
  return Answer{*entry->found, std::chrono::floor<std::chrono::milliseconds>(ttl_ - (now - entry->began_at))};
}

// Who looks while another does has his number, so that the first answer counts; and his time, which is the earlier one.
uint64_t SeenNames::begin(InodeId directory, std::string_view name) {
  if (ttl_ == ttl_.zero()) return 0;
  Name key{directory, name};
  const std::lock_guard lock(mutex_);
  const SteadyTime now = std::chrono::steady_clock::now();
  if (const Entry* const entry = entry_of(key, now); entry != nullptr && !entry->found) return entry->look;
  if (young_.size() >= kMostYoung || now - young_since_ >= ttl_) {
    old_ = std::exchange(young_, {});
    young_since_ = now;
  }
  old_.erase(key);
  young_.insert_or_assign(std::move(key), Entry{++last_look_, now, {}});
  return last_look_;
}

void SeenNames::note(InodeId directory, std::string_view name, uint64_t look, InodeId found) {
  if (look == 0) return;
  const std::lock_guard lock(mutex_);
  Entry* const entry = entry_of({directory, std::string(name)}, std::chrono::steady_clock::now());
  if (entry != nullptr && entry->look == look) entry->found = found;
}

void SeenNames::forget(InodeId directory, const std::string& name) {
  if (ttl_ == ttl_.zero()) return;
  const Name key{directory, name};
  const std::lock_guard lock(mutex_);
  young_.erase(key);
  old_.erase(key);
}

}  // namespace forebay::meta
