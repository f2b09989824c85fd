#include "core/stripe/striped_storage.h"

#include "core/log.h"

namespace forebay {

Result<StripedStorage::ServicePtr> StripedStorage::home_of(const Layout& layout) {
  return directory_.service_of(layout.targets.front());
}

Result<StripedStorage::ServicePtr> StripedStorage::home_of(InodeId id) {
  ASSIGN_OR_RETURN(const LayoutPtr layout, directory_.layout_of(id));
  if (layout == nullptr) return ServicePtr();
  return home_of(*layout);
}

Result<StripedStorage::ServicePtr> StripedStorage::need_home_of(InodeId id) {
  ASSIGN_OR_RETURN(ServicePtr home, home_of(id));
  if (home == nullptr) return fail(ENXIO, "inode {}: is on no target", id);
  return home;
}

Result<ChunkState> StripedStorage::caching_file(const CachingFileRequest& request) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(request.layout));
  return home->caching_file(request);
}

void StripedStorage::close_file(InodeId id) {
  if (const Result<ServicePtr> home = home_of(id); home && *home != nullptr) (*home)->close_file(id);
}

Result<ChunkState> StripedStorage::stat_file(InodeId id) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? ChunkState{} : home->stat_file(id);
}

Result<size_t> StripedStorage::read(InodeId id, uint64_t offset, std::span<char> buffer) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(id));
  return home->read(id, offset, buffer);
}

bool StripedStorage::read_in_place(InodeId id, uint64_t offset, size_t bytes,
                                   const std::function<void(int fd, size_t bytes)>& take) {
  const Result<ServicePtr> home = need_home_of(id);
  return home && (*home)->read_in_place(id, offset, bytes, take);
}

bool StripedStorage::await_reads(InodeId id, std::chrono::steady_clock::time_point began,
                                 std::chrono::milliseconds limit) {
  const Result<ServicePtr> home = need_home_of(id);
  return !home || (*home)->await_reads(id, began, limit);
}

Status StripedStorage::write(InodeId id, uint64_t offset, std::span<const char> data) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(id));
  return home->write(id, offset, data);
}

Status StripedStorage::truncate(InodeId id, uint64_t size) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(id));
  return home->truncate(id, size);
}

Status StripedStorage::allocate(InodeId id, int mode, uint64_t offset, uint64_t length) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(id));
  return home->allocate(id, mode, offset, length);
}

Result<uint64_t> StripedStorage::seek(const SeekRequest& request) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(request.id));
  return home->seek(request);
}

Status StripedStorage::sync(InodeId id) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? Status{} : home->sync(id);
}

Status StripedStorage::set_mtime(InodeId id, FileTime mtime) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? Status{} : home->set_mtime(id, mtime);
}

void StripedStorage::start_fetch(InodeId id, uint64_t offset) {
  if (const Result<ServicePtr> home = home_of(id); home && *home != nullptr) (*home)->start_fetch(id, offset);
}

Status StripedStorage::fetch_all(InodeId id, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(id));
  return home->fetch_all(id, limit);
}

Result<FlushBeginReply> StripedStorage::flush_begin(const FlushBeginRequest& request) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(request.id));
  return home->flush_begin(request);
}

Status StripedStorage::flush_move(InodeId id) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(id));
  return home->flush_move(id);
}

Result<FlushCommitReply> StripedStorage::flush_commit(InodeId id) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(id));
  return home->flush_commit(id);
}

void StripedStorage::flush_abort(InodeId id) {
  if (const Result<ServicePtr> home = home_of(id); home && *home != nullptr) (*home)->flush_abort(id);
}

Status StripedStorage::copy_out(InodeId id, const ExternalRef& to) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(id));
  return home->copy_out(id, to);
}

Status StripedStorage::expect_version_change(InodeId id, bool sets_mtime) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? Status{} : home->expect_version_change(id, sets_mtime);
}

Status StripedStorage::settle_expectation(InodeId id, const Validator& now) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? Status{} : home->settle_expectation(id, now);
}

Status StripedStorage::set_version(InodeId id, const Validator& from, const Validator& to) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? Status{} : home->set_version(id, from, to);
}

Result<bool> StripedStorage::outside_changed(InodeId id, const Validator& now) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? false : home->outside_changed(id, now);
}

Result<uint64_t> StripedStorage::drop(InodeId id, uint64_t bytes) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? uint64_t{0} : home->drop(id, bytes);
}

Status StripedStorage::discard(InodeId id) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? Status{} : home->discard(id);
}

Status StripedStorage::revert(InodeId id, const Validator& version) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? Status{} : home->revert(id, version);
}

Result<UniqueFd> StripedStorage::lease(const LeaseRequest& request) {
  ASSIGN_OR_RETURN(const ServicePtr home, need_home_of(request.id));
  return home->lease(request);
}

void StripedStorage::end_lease(InodeId id) {
  if (const Result<ServicePtr> home = home_of(id); home && *home != nullptr) (*home)->end_lease(id);
}

Result<Settled> StripedStorage::settle(InodeId id) {
  ASSIGN_OR_RETURN(const ServicePtr home, home_of(id));
  return home == nullptr ? Settled::kClean : home->settle(id);
}

void StripedStorage::look_at_leases() {
  for (const TargetId target : directory_.targets()) {
    if (const Result<ServicePtr> service = directory_.service_of(target); service) (*service)->look_at_leases();
  }
}

SpaceReport StripedStorage::space() {
  SpaceReport sum;
  for (const TargetId target : directory_.targets()) {
    const SpaceReport one = space_of(target);
    sum.capacity_bytes += one.capacity_bytes;
    sum.used_bytes += one.used_bytes;
    sum.reserved_bytes += one.reserved_bytes;
    sum.dirty_bytes += one.dirty_bytes;
    sum.hits += one.hits;
    sum.misses += one.misses;
    sum.fetched_bytes += one.fetched_bytes;
    sum.flushed_bytes += one.flushed_bytes;
  }
  return sum;
}

SpaceReport StripedStorage::space_of(TargetId target) {
  const Result<ServicePtr> service = directory_.service_of(target);
  return service ? (*service)->space_of(target) : SpaceReport{};
}

}  // namespace forebay
