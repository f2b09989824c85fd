#include "cachefs/backing.h"

#include <fcntl.h>

#include "cachefs/control.h"
#include "core/log.h"

namespace forebay::cachefs {
namespace {

#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 17)
int register_file(fuse_req_t request, int fd) { return fuse_passthrough_open(request, fd); }
void unregister_file(fuse_req_t request, int backing_id) { fuse_passthrough_close(request, backing_id); }
void set_backing(fuse_file_info* info, int backing_id) { info->backing_id = backing_id; }
#else
int register_file(fuse_req_t, int) { return 0; }
void unregister_file(fuse_req_t, int) {}
void set_backing(fuse_file_info*, int) {}
#endif

}  // namespace

BackingTable::BackingTable(StorageService& storage, const Config& config, bool shared)
    : storage_(storage),
      policy_(config.fuse.passthrough),
      shared_(shared),
      each_write_(config.flush.policy == FlushPolicy::kWriteThrough) {
  if (policy_ == Passthrough::kOff) off_ = "fuse.passthrough is off";
  if (policy_ == Passthrough::kRead) read_only_ = "fuse.passthrough is read";
  if (each_write_) read_only_ = "flush.policy is write-through";
}

void BackingTable::disable(std::string reason) {
  const std::lock_guard lock(reasons_mutex_);
  if (!off_.empty()) return;
  off_ = std::move(reason);
  log(Module::kCachefs).info("no passthrough: {}", off_);
}

std::string BackingTable::report() {
  const std::lock_guard lock(reasons_mutex_);
  if (!off_.empty()) return "off: " + off_;
  return read_only_.empty() ? "on" : "read: " + read_only_;
}

std::shared_ptr<BackingTable::Entry> BackingTable::enter(InodeId id) {
  Shard& shard = shards_[id % kShards];
  const std::lock_guard lock(shard.mutex);
  std::shared_ptr<Entry>& entry = shard.entries[id];
  if (entry == nullptr) entry = std::make_shared<Entry>();
  ++entry->users;
  return entry;
}

void BackingTable::leave(InodeId id) {
  Shard& shard = shards_[id % kShards];
  const std::lock_guard lock(shard.mutex);
  const auto it = shard.entries.find(id);
  if (--it->second->users == 0) shard.entries.erase(it);
}

Result<Access> BackingTable::open(fuse_req_t request, InodeId id, fuse_file_info* info, By by, NewFile* new_file) {
  const std::shared_ptr<Entry> entry = enter(id);
  std::unique_lock lock(entry->mutex);
  if ((info->flags & kControlOpenFlags) == kControlOpenFlags) await_closed(id, *entry, lock);
  LeaseRequest lease{.id = id, .direct = (info->flags & O_DIRECT) != 0};
  if (new_file != nullptr) lease.new_file = std::move(*new_file);
  const Result<Access> access = choose(request, lease, *entry, info->flags, by);
  if (new_file != nullptr) *new_file = std::move(lease.new_file);
  if (!access) {
    leave(id);
    return access;
  }
  if (*access == Access::kCached) {
    ++entry->unbacked;
    return access;
  }
  if (*access == Access::kDirect) {
    ++entry->unbacked;
  } else {
    ++entry->backed;
    set_backing(info, entry->backing_id);
  }
  if (*access != Access::kPassthrough) {
    info->direct_io = 1;
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 15)
    info->parallel_direct_writes = 1;
#endif
  }
  return access;
}

// Whoever has just closed the file is still to be heard of, and the kernel lets the chunk file go after that. Beside a
// user of the chunk file a command's handle would have to be backed as well, and what is backed cannot leave the cache.
void BackingTable::await_closed(InodeId id, Entry& entry, std::unique_lock<std::mutex>& lock) {
  constexpr std::chrono::milliseconds kMoment{100}, kPause{2};
  const auto until = std::chrono::steady_clock::now() + kMoment;
  entry.released.wait_until(lock, until, [&entry] { return entry.backed == 0; });
  if (shared_) return;
  while (entry.backed == 0 && entry.unbacked == 0 && is_mapped(id) && std::chrono::steady_clock::now() < until) {
    entry.released.wait_for(lock, kPause);
  }
}

Result<Access> BackingTable::choose(fuse_req_t request, LeaseRequest& lease, Entry& entry, int flags, By by) {
  if (entry.unbacked > 0 || (entry.backed == 0 && (by == By::kEmpty || is_off()))) return unbacked();
  const bool control = (flags & kControlOpenFlags) == kControlOpenFlags;
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  // The kernel would go on appending after fcntl(F_SETFL) has taken O_APPEND away; and what it syncs by itself is the
  // chunk file, without our records.
  const bool special = (flags & (O_APPEND | O_DSYNC | O_SYNC)) != 0;
  const bool unpaced = !control && (!writes || (policy_ != Passthrough::kRead && !each_write_ && !special));
  lease.writes = writes;
  lease.at_any_room = policy_ == Passthrough::kOn;
  Status lent = unpaced ? lend(request, lease, entry) : Status(fail(EAGAIN));
  if (lent) return Access::kPassthrough;
  const bool nothing_to_lend = lent.error().code == ENODATA || lent.error().code == ENOTSUP;
  if (by == By::kDelegation && !nothing_to_lend) return Failure(lent.error());
  if (entry.backed == 0 && shared_) {
    // What is stored into a mapping of the chunk file all nodes see; into pages of this kernel's, one.
    const bool mapped = !control && !unpaced && lend(request, lease, entry);
    return mapped ? Access::kMapped : Access::kDirect;
  }
  if (entry.backed == 0 && !is_mapped(lease.id)) return Access::kCached;

  // The kernel takes no other handle beside a backed one, and what is stored into a mapping that outlived its handle is
  // in no page of the kernel's but the chunk file's. What changed outside under those who have it open comes
  // again: without all of it a mapping would show old bytes.
  constexpr std::chrono::seconds kLongestFetch{30};
  if (!control) (void)storage_.fetch_all(lease.id, kLongestFetch);
  lease.beside = true;
  lent = lend(request, lease, entry);
  if (lent) return Access::kMapped;
  // A command reads nothing.
  return control && entry.backed == 0 ? Result<Access>(Access::kCached) : Failure(std::move(lent).error());
}

bool BackingTable::is_mapped(InodeId id) {
  const Result<ChunkState> state = storage_.stat_file(id);
  return state && state->leased;
}

Status BackingTable::lend(fuse_req_t request, LeaseRequest& lease, Entry& entry) {
  const Result<UniqueFd> fd = storage_.lease(lease);
  const bool heard = fd || fd.error().code == EAGAIN || fd.error().code == ENODATA || fd.error().code == ENOTSUP;
  if (heard) lease.new_file.reset();
  if (!fd) {
    // In a cluster that may be true of one target alone.
    if (fd.error().code == ENOTSUP && !shared_) disable(fd.error().context);
    return Failure(fd.error());
  }
  if (entry.backed > 0) return {};
  entry.backing_id = register_file(request, fd->get());
  if (entry.backing_id > 0) return {};
  const Error error{errno, "the kernel does not take the chunk file"};
  storage_.end_lease(lease.id);
  // What there is too little of for the moment may be there for the next file.
  const bool for_now = error.code == EMFILE || error.code == ENFILE || error.code == ENOMEM;
  if (!for_now) disable(error.message());
  return Failure(error);
}

bool BackingTable::is_off() {
  const std::lock_guard lock(reasons_mutex_);
  return !off_.empty();
}

// Without a request there is no way to the kernel: the next one that ends takes the rest with it.
void BackingTable::unregister(fuse_req_t request, int backing_id) {
  std::vector<int> ids;
  {
    const std::lock_guard lock(orphans_mutex_);
    orphans_.push_back(backing_id);
    if (request == nullptr) return;
    ids.swap(orphans_);
  }
  for (const int id : ids) unregister_file(request, id);
}

void BackingTable::release(fuse_req_t request, InodeId id, Access access) {
  const std::shared_ptr<Entry> entry = enter(id);
  const bool backed = is_backed(access);
  {
    const std::lock_guard lock(entry->mutex);
    --(backed ? entry->backed : entry->unbacked);
    if (backed && entry->backed == 0) unregister(request, entry->backing_id);
  }
  entry->released.notify_all();
  leave(id);  // of this call
  leave(id);  // of open()
}

}  // namespace forebay::cachefs
