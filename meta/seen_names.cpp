#include "meta/seen_names.h"

namespace forebay::meta {

SeenNames::Entry* SeenNames::entry_of(const Name& name, SteadyTime now) {
  for (Entries* entries : {&young_, &old_}) {
    const auto found = entries->find(name);
    if (found != entries->end()) return now - found->second.began_at < ttl_ ? &found->second : nullptr;
  }
  return nullptr;
}

// Who looks while another does has his number, so that the first answer counts; and his time, which is the earlier one.
std::optional<SeenNames::Answer> SeenNames::find(InodeId directory, std::string_view name, uint64_t* look) {
  *look = 0;
  if (ttl_ == ttl_.zero()) return {};
  Name key{directory, name};
  const std::lock_guard lock(mutex_);
  const SteadyTime now = std::chrono::steady_clock::now();
  if (const Entry* const entry = entry_of(key, now); entry != nullptr) {
    if (entry->found) {
      return Answer{*entry->found, std::chrono::floor<std::chrono::milliseconds>(ttl_ - (now - entry->began_at))};
    }
    *look = entry->look;
    return {};
  }
  if (young_.size() >= kMostYoung || now - young_since_ >= ttl_) {
    old_ = std::exchange(young_, {});
    young_since_ = now;
  }
  *look = ++last_look_;
  young_.insert_or_assign(std::move(key), Entry{*look, now, {}});
  return {};
}

void SeenNames::note(InodeId directory, std::string_view name, uint64_t look, InodeId found) {
  if (look == 0) return;
  const std::lock_guard lock(mutex_);
  Entry* const entry = entry_of({directory, std::string(name)}, std::chrono::steady_clock::now());
  if (entry != nullptr && entry->look == look) entry->found = found;
}

void SeenNames::forget(InodeId directory, std::string_view name) {
  if (ttl_ == ttl_.zero()) return;
  const Name key{directory, name};
  const std::lock_guard lock(mutex_);
  young_.erase(key);
  old_.erase(key);
}

}  // namespace forebay::meta
