#include "meta/known_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>

#include "consistency/external_tree.h"

namespace forebay::meta {
namespace {

constexpr size_t kMostDirectories = 64;
constexpr size_t kMostKnown = 8192;  // of one directory
constexpr size_t kLongestName = 128;
constexpr uint64_t kNamesPerTrip = 64;   // of a listing: few, for those outsides that look at each name
constexpr uint64_t kTooLarge = 1 << 20;  // files to make before a directory is tried again

bool is_plain(std::string_view name) {
  constexpr std::string_view kOthers = "._-+=,@%~";
  const auto is_portable = [&](unsigned char letter) {
    return (letter < 0x80 && std::isalnum(letter) != 0) || kOthers.find(static_cast<char>(letter)) != kOthers.npos;
  };
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), is_portable);
}

uint64_t hash_of(std::string_view name) {
  std::string folded(name);
  std::transform(folded.begin(), folded.end(), folded.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter;
  });
  return std::hash<std::string>()(folded);
}

// Hashes of all names; none when there are too many, or the directory cannot be read.
std::optional<std::unordered_set<uint64_t>> names_in(int directory_fd) {
  const Result<UniqueFd> fd = consistency::ExternalTree::reopen(directory_fd, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::nullopt;
  std::unordered_set<uint64_t> names;
  alignas(dirent64) std::array<char, 32 << 10> buffer;
  while (names.size() <= kMostKnown) {
    const ssize_t bytes = ::getdents64(fd->get(), buffer.data(), buffer.size());
    if (bytes < 0) return std::nullopt;
    if (bytes == 0) return names;
    for (ssize_t at = 0; at < bytes;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      names.insert(hash_of(entry->d_name));
      at += entry->d_reclen;
    }
  }
  return std::nullopt;
}

}  // namespace

bool KnownNames::lacks(InodeId directory, int fd, std::string_view name, std::chrono::milliseconds* valid_for) {
  if (ttl_ == ttl_.zero() || !is_plain(name)) return false;
  std::unique_lock lock(mutex_);
  auto known = directories_.find(directory);
  if (known == directories_.end() || known->second.listing) return false;
  if (!is_fresh(known->second) && known->second.made >= known->second.worth) {
    known->second = {.worth = known->second.worth, .listing = true};
    lock.unlock();
    const SteadyTime now =
        std::chrono::steady_clock::now();  // before the listing: it may show what was at its beginning
    std::optional<std::unordered_set<uint64_t>> names = names_in(fd);
    lock.lock();
    known = directories_.find(directory);
    if (known == directories_.end()) return false;
    known->second.listing = false;
    known->second.worth = names ? kFirstWorth + names->size() / kNamesPerTrip : kTooLarge;
    if (!names) return false;
    known->second.listed_at = now;
    known->second.names.merge(*names);
  }
  if (!is_fresh(known->second) || known->second.names.contains(hash_of(name))) return false;
  *valid_for =
      ttl_ - std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - known->second.listed_at);
  return valid_for->count() >= 0;
}

void KnownNames::made(InodeId directory, std::string_view name) {
  if (ttl_ == ttl_.zero()) return;
  const std::lock_guard lock(mutex_);
  if (directories_.size() >= kMostDirectories && !directories_.contains(directory)) make_room();
  Directory& known = directories_[directory];
  ++known.made;
  note(known, name);
}

void KnownNames::seen(InodeId directory, std::string_view name) {
  if (ttl_ == ttl_.zero()) return;
  const std::lock_guard lock(mutex_);
  if (const auto known = directories_.find(directory); known != directories_.end()) note(known->second, name);
}

void KnownNames::note(Directory& known, std::string_view name) {
  if (!known.listing && !is_fresh(known)) return;
  known.names.insert(hash_of(name));
  if (!known.listing && known.names.size() > kMostKnown) known = {.worth = kTooLarge};
}

bool KnownNames::is_fresh(const Directory& directory) const {
  return directory.listed_at != SteadyTime{} && std::chrono::steady_clock::now() - directory.listed_at < ttl_;
}

void KnownNames::make_room() {
  std::erase_if(directories_, [&](const auto& known) { return !known.second.listing && !is_fresh(known.second); });
  // Not one that is being listed: what is made meanwhile would be missing.
  const auto idle =
      std::find_if(directories_.begin(), directories_.end(), [](const auto& known) { return !known.second.listing; });
  if (directories_.size() >= kMostDirectories && idle != directories_.end()) directories_.erase(idle);
}

}  // namespace forebay::meta
