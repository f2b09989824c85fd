#include "meta/known_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "consistency/external_tree.h"

namespace forebay::meta {
namespace {

constexpr size_t kMostDirectories = 64;
constexpr uint64_t kNamesPerTrip = 64;   // of a listing: few, for those outsides that look at each name
constexpr uint64_t kTooLarge = 1 << 20;  // files to make before a directory is tried again

struct Listing {
  NameFilter names;
  size_t count = 0;
};

// None when there are too many, or the directory cannot be read.
std::optional<Listing> names_in(int directory_fd) {
  const Result<UniqueFd> fd = consistency::ExternalTree::reopen(directory_fd, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::nullopt;
  Listing listing;
  alignas(dirent64) std::array<char, 32 << 10> buffer;
  while (listing.count <= NameFilter::kMostNames) {
    const ssize_t bytes = ::getdents64(fd->get(), buffer.data(), buffer.size());
    if (bytes < 0) return std::nullopt;
    if (bytes == 0) return listing;
    for (ssize_t at = 0; at < bytes;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      listing.names.add(entry->d_name);
      ++listing.count;
      at += entry->d_reclen;
    }
  }
  return std::nullopt;
}

}  // namespace

bool KnownNames::lacks(InodeId directory, int fd, std::string_view name, std::chrono::milliseconds* valid_for) {
  if (ttl_ == ttl_.zero() || !NameFilter::takes(name)) return false;
  std::unique_lock lock(mutex_);
  const Directory* const known = listed_now(lock, directory, fd, valid_for);
  return known != nullptr && !known->names.may_have(name);
}

std::optional<NameFilter> KnownNames::all(InodeId directory, int fd, std::chrono::milliseconds* valid_for) {
  if (ttl_ == ttl_.zero()) return {};
  std::unique_lock lock(mutex_);
  const Directory* const known = listed_now(lock, directory, fd, valid_for);
  return known == nullptr ? std::nullopt : std::optional(known->names.copy());
}

const KnownNames::Directory* KnownNames::listed_now(std::unique_lock<std::mutex>& lock, InodeId directory, int fd,
                                                    std::chrono::milliseconds* valid_for) {
  auto known = directories_.find(directory);
  if (known == directories_.end() || known->second.listing) return nullptr;
  if (!is_fresh(known->second) && known->second.made >= known->second.worth) {
    known->second = {.worth = known->second.worth, .listing = true};
    lock.unlock();
    const SteadyTime now =
        std::chrono::steady_clock::now();  // before the listing: it may show what was at its beginning
    std::optional<Listing> found = names_in(fd);
    lock.lock();
    known = directories_.find(directory);
    if (known == directories_.end()) return nullptr;
    known->second.listing = false;
    known->second.worth = found ? kFirstWorth + found->count / kNamesPerTrip : kTooLarge;
    if (!found) return nullptr;
    known->second.listed_at = now;
    known->second.count += found->count;
    known->second.names.add(found->names);
  }
  if (!is_fresh(known->second)) return nullptr;
  *valid_for =
      ttl_ - std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - known->second.listed_at);
  return valid_for->count() >= 0 ? &known->second : nullptr;
}

void KnownNames::made(InodeId directory, std::string_view name) {
  if (ttl_ == ttl_.zero()) return;
  const std::lock_guard lock(mutex_);
  if (directories_.size() >= kMostDirectories && !directories_.contains(directory)) make_room();
  Directory& known = directories_[directory];
  ++known.made;
  note(known, name);
}

// All is forgotten: to add each name of a listing would make that slower by a tenth.
void KnownNames::listed(InodeId directory) {
  if (ttl_ == ttl_.zero()) return;
  const std::lock_guard lock(mutex_);
  const auto known = directories_.find(directory);
  // One that is too large knows nothing, and need not find that out again.
  if (known != directories_.end() && known->second.worth < kTooLarge) directories_.erase(known);
}

void KnownNames::note(Directory& known, std::string_view name) {
  if (!known.listing && !is_fresh(known)) return;
  if (known.names.add(name)) ++known.count;
  if (!known.listing && known.count > NameFilter::kMostNames) known = {.worth = kTooLarge};
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
