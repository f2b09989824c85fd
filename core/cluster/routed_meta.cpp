#include "core/cluster/routed_meta.h"

#include <fcntl.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace forebay {

Result<MetaService*> RoutedMeta::owner(InodeId id) const {
  MetaService* const found = find_owner(id);
  if (found == nullptr) return fail(ESTALE, "inode {}: there is no metadata server {}", id, owner_of(id));
  return found;
}

MetaService* RoutedMeta::find_owner(InodeId id) const {
  const uint32_t number = owner_of(id);
  return number < servers_.size() ? servers_[number].get() : nullptr;
}

// --- names

Result<EntryReply> RoutedMeta::follow(InodeId parent, std::string_view name, Result<EntryReply> reply,
                                      const std::function<Result<EntryReply>()>& again) {
  // Each time somebody else has put another object there.
  constexpr int kMostTries = 16;
  for (int tries = 0; reply && reply->elsewhere && tries < kMostTries; ++tries) {
    const std::chrono::milliseconds name_valid_for = reply->valid_for;
    if (reply->elsewhere->server >= servers_.size()) break;
    MetaService& server = *servers_[reply->elsewhere->server];
    Result<EntryReply> entry = server.enter(parent, name, reply->elsewhere->identity);
    if (entry) entry->valid_for = std::min(entry->valid_for, name_valid_for);
    if (entry || entry.error().code != ESTALE) return entry;
    reply = again();
  }
  if (reply && reply->elsewhere) return fail(ESTALE, "a name that leads elsewhere again and again");
  return reply;
}

Result<EntryReply> RoutedMeta::lookup(const Caller& caller, InodeId parent, std::string_view name) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  const auto ask = [&] { return server->lookup(caller, parent, name); };
  return follow(parent, name, ask(), ask);
}

Result<EntryReply> RoutedMeta::enter(InodeId parent, std::string_view name, const Identity& identity) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  return server->enter(parent, name, identity);
}

template <typename Each>
std::unordered_map<MetaService*, std::vector<Each>> RoutedMeta::by_owner(std::span<const Each> all) {
  std::unordered_map<MetaService*, std::vector<Each>> of_servers;
  for (const Each& each : all) {
    if (MetaService* const server = find_owner(each.id); server != nullptr) of_servers[server].push_back(each);
  }
  return of_servers;
}

void RoutedMeta::forget(InodeId id, uint64_t count) {
  if (MetaService* const server = find_owner(id); server != nullptr) server->forget(id, count);
}

void RoutedMeta::forget_many(std::span<const Forgotten> all) {
  for (const auto& [server, its] : by_owner(all)) server->forget_many(its);
}

Result<EntryReply> RoutedMeta::follow_made(MetaService& server, const Caller& caller, InodeId parent,
                                           std::string_view name, Result<EntryReply> made) {
  Result<EntryReply> entry = follow(parent, name, std::move(made), [&] { return server.lookup(caller, parent, name); });
  if (entry && entry->id == 0) return fail(ENOENT);
  return entry;
}

Result<EntryReply> RoutedMeta::mknod(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                                     uint64_t device) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  return follow_made(*server, caller, parent, name, server->mknod(caller, parent, name, mode, device));
}

Result<EntryReply> RoutedMeta::mkdir(const Caller& caller, InodeId parent, std::string_view name, mode_t mode) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  return follow_made(*server, caller, parent, name, server->mkdir(caller, parent, name, mode));
}

Result<EntryReply> RoutedMeta::symlink(const Caller& caller, InodeId parent, std::string_view name,
                                       const std::string& target) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  return follow_made(*server, caller, parent, name, server->symlink(caller, parent, name, target));
}

Result<EntryReply> RoutedMeta::link(const Caller& caller, InodeId id, InodeId new_parent, std::string_view new_name) {
  ASSIGN_OR_RETURN(MetaService * server, owner(new_parent));
  return follow_made(*server, caller, new_parent, new_name, server->link(caller, id, new_parent, new_name));
}

Status RoutedMeta::unlink(const Caller& caller, InodeId parent, std::string_view name) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  return server->unlink(caller, parent, name);
}

Status RoutedMeta::rmdir(const Caller& caller, InodeId parent, std::string_view name) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  return server->rmdir(caller, parent, name);
}

Status RoutedMeta::rename(const Caller& caller, InodeId parent, std::string_view name, InodeId new_parent,
                          std::string_view new_name, unsigned flags) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  return server->rename(caller, parent, name, new_parent, new_name, flags);
}

void RoutedMeta::directories_move() {
  for (const ServicePtr& server : servers_) server->directories_move();
}

Result<std::string> RoutedMeta::readlink(const Caller& caller, InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->readlink(caller, id);
}

// --- attributes

Result<NamesReply> RoutedMeta::all_names(InodeId directory) {
  ASSIGN_OR_RETURN(MetaService * server, owner(directory));
  return server->all_names(directory);
}

Result<AttributesReply> RoutedMeta::getattr(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->getattr(id);
}

Result<AttributesReply> RoutedMeta::setattr(const Caller& caller, InodeId id, const SetAttributes& change) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->setattr(caller, id, change);
}

Result<std::string> RoutedMeta::getxattr(const Caller& caller, InodeId id, const std::string& name) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->getxattr(caller, id, name);
}

Result<std::string> RoutedMeta::listxattr(const Caller& caller, InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->listxattr(caller, id);
}

Status RoutedMeta::setxattr(const Caller& caller, InodeId id, const std::string& name, std::string_view value,
                            int flags) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->setxattr(caller, id, name, value, flags);
}

Status RoutedMeta::removexattr(const Caller& caller, InodeId id, const std::string& name) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->removexattr(caller, id, name);
}

Result<struct statvfs> RoutedMeta::statfs(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->statfs(id);
}

// --- open files

Result<OpenReply> RoutedMeta::open(const Caller& caller, InodeId id, int flags) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->open(caller, id, flags);
}

Result<CreateReply> RoutedMeta::create(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                                       int flags) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  Result<CreateReply> made = server->create(caller, parent, name, mode, flags);
  if (!made || !made->elsewhere) return made;
  // It was there already, and is another server's.
  ASSIGN_OR_RETURN(const EntryReply entry, follow_made(*server, caller, parent, name, *made));
  Result<OpenReply> opened = open(caller, entry.id, flags & ~O_CREAT);
  if (opened) return CreateReply{entry, std::move(opened->layout), {}, false};
  forget(entry.id, 1);
  return Failure(std::move(opened).error());
}

Result<CreateReply> RoutedMeta::tmpfile(const Caller& caller, InodeId parent, mode_t mode, int flags) {
  ASSIGN_OR_RETURN(MetaService * server, owner(parent));
  return server->tmpfile(caller, parent, mode, flags);
}

void RoutedMeta::release(InodeId id, int flags) {
  if (MetaService* const server = find_owner(id); server != nullptr) server->release(id, flags);
}

void RoutedMeta::release_many(std::span<const Released> all) {
  for (const auto& [server, its] : by_owner(all)) server->release_many(its);
}

Result<Layout> RoutedMeta::reopen(const Caller& caller, InodeId id, const HandleCounts& handles) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->reopen(caller, id, handles);
}

Status RoutedMeta::strip_privileges(const Caller& caller, InodeId id, bool set_id_bits) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->strip_privileges(caller, id, set_id_bits);
}

Status RoutedMeta::close(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->close(id);
}

Status RoutedMeta::fsync(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->fsync(id);
}

uint64_t RoutedMeta::flush_failures(InodeId id) {
  MetaService* const server = find_owner(id);
  return server == nullptr ? 0 : server->flush_failures(id);
}

Error RoutedMeta::last_flush_error(InodeId id) {
  MetaService* const server = find_owner(id);
  return server == nullptr ? Error{0, {}} : server->last_flush_error(id);
}

// --- directories

Result<OpenDirectoryReply> RoutedMeta::opendir(const Caller& caller, InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->opendir(caller, id);
}

Status RoutedMeta::readdir(uint64_t handle, uint64_t cookie, bool with_attributes, const DirectorySink& sink) {
  ASSIGN_OR_RETURN(MetaService * server, owner(handle));
  return server->readdir(handle, cookie, with_attributes, sink);
}

Status RoutedMeta::fsyncdir(uint64_t handle) {
  ASSIGN_OR_RETURN(MetaService * server, owner(handle));
  return server->fsyncdir(handle);
}

void RoutedMeta::releasedir(uint64_t handle) {
  if (MetaService* const server = find_owner(handle); server != nullptr) server->releasedir(handle);
}

// --- layouts

Result<LayoutRule> RoutedMeta::layout_rule(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->layout_rule(id);
}

Status RoutedMeta::set_layout_rule(InodeId id, const std::optional<LayoutRule>& rule) {
  // The owner first: he knows what cannot be.
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  RETURN_IF_ERROR(server->set_layout_rule(id, rule));
  for (const ServicePtr& other : servers_) {
    if (other.get() != server) RETURN_IF_ERROR(other->set_layout_rule(id, rule));
  }
  return {};
}

// --- locks

Result<bool> RoutedMeta::lock(const LockRequest& request, bool wait) {
  ASSIGN_OR_RETURN(MetaService * server, owner(request.id));
  return server->lock(request, wait);
}

Status RoutedMeta::unlock(const LockRequest& request) {
  ASSIGN_OR_RETURN(MetaService * server, owner(request.id));
  return server->unlock(request);
}

Result<std::optional<HeldLock>> RoutedMeta::test_lock(const LockRequest& request) {
  ASSIGN_OR_RETURN(MetaService * server, owner(request.id));
  return server->test_lock(request);
}

Result<LockNews> RoutedMeta::await_locks(std::span<const LockRequest> waits, uint64_t ended,
                                         std::chrono::milliseconds limit) {
  if (waits.empty()) return LockNews{{}, ended};
  ASSIGN_OR_RETURN(MetaService * server, owner(waits.front().id));
  return server->await_locks(waits, ended, limit);
}

Result<bool> RoutedMeta::cancel_lock(const LockRequest& request) {
  ASSIGN_OR_RETURN(MetaService * server, owner(request.id));
  return server->cancel_lock(request);
}

Status RoutedMeta::await_news(uint64_t, const AwaitNews&, TellNews) {
  return fail(ENOTSUP, "each metadata server has its own news");
}

// --- page caches

bool RoutedMeta::use_pages(InodeId id) {
  MetaService* const server = find_owner(id);
  return server != nullptr && server->use_pages(id);
}

void RoutedMeta::bypass_pages(InodeId id) {
  if (MetaService* const server = find_owner(id); server != nullptr) server->bypass_pages(id);
}

void RoutedMeta::pages_revoked(InodeId id, uint64_t generation) {
  if (MetaService* const server = find_owner(id); server != nullptr) server->pages_revoked(id, generation);
}

// --- the cache itself

Result<CacheState> RoutedMeta::cache_state(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->cache_state(id);
}

Result<WorkProgress> RoutedMeta::flush(InodeId id, bool first, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  ASSIGN_OR_RETURN(WorkProgress sum, server->flush(id, first, limit));
  for (const ServicePtr& other : servers_) {
    if (other.get() == server) continue;
    // Each has its time: what is left there at the end of it, the next request waits for.
    const Result<WorkProgress> more = other->flush(id, first, limit);
    if (!more && more.error().code == ENOTDIR) return sum;  // a file, which is its owner's alone
    if (!more) return more;
    sum.remaining_bytes += more->remaining_bytes;
    sum.remaining_files += more->remaining_files;
    sum.failed_files += more->failed_files;
    sum.conflicts += more->conflicts;
    if (more->last_error.code != 0) sum.last_error = more->last_error;
  }
  return sum;
}

Result<WorkProgress> RoutedMeta::prefetch(InodeId id, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->prefetch(id, limit);
}

Result<WorkProgress> RoutedMeta::evict(InodeId id, bool first, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->evict(id, first, limit);
}

Status RoutedMeta::pin(InodeId id, bool pinned) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->pin(id, pinned);
}

// What the targets say each server has asked all of them for; files are counted by their owner.
// Each says the same of the targets; of files each knows its own.
CacheStatus RoutedMeta::status() {
  CacheStatus sum;
  uint32_t silent = 0;
  for (const auto& server : servers_) {
    const CacheStatus one = server->status();
    if (one.capacity_bytes == 0) {
      ++silent;
      continue;
    }
    const CacheStatus before = std::exchange(sum, one);
    sum.dirty_files += before.dirty_files;
    sum.cached_files += before.cached_files;
    sum.evicted_bytes += before.evicted_bytes;
    sum.flush_failures += before.flush_failures;
    sum.conflicts += before.conflicts;
    sum.inodes_in_memory += before.inodes_in_memory;
  }
  sum.silent_servers += silent;
  return sum;
}

// --- what storage servers say

Status RoutedMeta::mark_dirty(InodeId id, bool leased) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->mark_dirty(id, leased);
}

void RoutedMeta::data_changed(InodeId id) {
  if (MetaService* const server = find_owner(id); server != nullptr) server->data_changed(id);
}

void RoutedMeta::lease_settled(InodeId id) {
  if (MetaService* const server = find_owner(id); server != nullptr) server->lease_settled(id);
}

Status RoutedMeta::after_write(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->after_write(id);
}

Result<Validator> RoutedMeta::revalidate(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->revalidate(id);
}

void RoutedMeta::copy_replaced(InodeId id) {
  if (MetaService* const server = find_owner(id); server != nullptr) server->copy_replaced(id);
}

Result<ExternalRef> RoutedMeta::locate(InodeId id) {
  ASSIGN_OR_RETURN(MetaService * server, owner(id));
  return server->locate(id);
}

void RoutedMeta::report_complete(InodeId id) {
  if (MetaService* const server = find_owner(id); server != nullptr) server->report_complete(id);
}

Status RoutedMeta::make_room(TargetId target, uint64_t bytes) {
  Status last;
  for (const ServicePtr& server : servers_) {
    last = server->make_room(target, bytes);
    if (last && bytes > 0) return last;
  }
  return last;
}

}  // namespace forebay
