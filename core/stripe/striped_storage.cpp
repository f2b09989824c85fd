#include "core/stripe/striped_storage.h"

#include <algorithm>
#include <map>

#include "core/stripe/ask_all.h"

namespace forebay {

Result<StripedStorage::Parts> StripedStorage::parts_of(const Layout& layout) {
  Parts parts{layout, {}};
  for (const TargetId target : layout.targets) {
    ASSIGN_OR_RETURN(ServicePtr service, directory_.service_of(target));
    parts.services.push_back(std::move(service));
  }
  return parts;
}

Result<StripedStorage::Parts> StripedStorage::parts_of(InodeId id) {
  ASSIGN_OR_RETURN(const LayoutPtr layout, directory_.layout_of(id));
  if (layout == nullptr) return Parts();
  return parts_of(*layout);
}

Result<StripedStorage::Parts> StripedStorage::need_parts_of(InodeId id) {
  ASSIGN_OR_RETURN(Parts parts, parts_of(id));
  if (parts.none()) return fail(ENXIO, "inode {}: is on no target", id);
  return parts;
}

// The version of the whole is that of a part that is newer, otherwise of one that has something, otherwise what they
// were told when the file was opened. A part that has nothing, and should, has lost it or never had it: its size tells
// nothing.
ChunkState combined(const Layout& layout, const std::vector<ChunkState>& parts) {
  if (parts.size() == 1) return parts.front();
  ChunkState whole;
  const auto rank = [](const ChunkState& part) {
    return part.dirty ? 3 : part.exists ? 2 : part.mtime0 == Validator{} ? 0 : 1;
  };
  const auto known =
      std::max_element(parts.begin(), parts.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  whole.mtime0 = known->mtime0;
  whole.complete = known->exists;
  for (size_t i = 0; i < parts.size(); ++i) {
    const ChunkState& part = parts[i];
    whole.size = std::max(whole.size, part.size);
    whole.present_bytes += part.present_bytes;
    whole.dirty_bytes += part.dirty_bytes;
    whole.blocks += part.blocks;
    whole.ctime = std::max(whole.ctime, part.ctime);
    // Times may be before 1970: the first one counts as it is.
    if (part.dirty) whole.mtime = whole.dirty ? std::max(whole.mtime, part.mtime) : part.mtime;
    whole.exists = whole.exists || part.exists;
    whole.dirty = whole.dirty || part.dirty;
    whole.leased = whole.leased || part.leased;
    const bool needs_nothing = Stripe::of(layout, i).local_below(whole.mtime0.size) == 0;
    whole.complete = whole.complete && part.complete && (part.exists || needs_nothing);
  }
  return whole;
}

Result<ChunkState> StripedStorage::stat_parts(InodeId id, const Parts& parts) {
  if (parts.alone()) return parts.first().stat_file(id);
  ASSIGN_OR_RETURN(const auto states, ask_all(parts, [id](StorageService& part) { return part.stat_file(id); }));
  return combined(parts.layout, states);
}

Result<ChunkState> StripedStorage::caching_file(const CachingFileRequest& request) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(request.layout));
  if (parts.alone()) return parts.first().caching_file(request);
  // All of them, or none: close_file() counts.
  std::vector<char> opened(parts.services.size());
  std::vector<ChunkState> states(opened.size());
  std::vector<Status> answers(opened.size());
  in_parallel(opened.size(), [&](size_t i) {
    Result<ChunkState> state = parts.services[i]->caching_file(request);
    opened[i] = state.has_value();
    state ? static_cast<void>(states[i] = *state) : static_cast<void>(answers[i] = Failure(state.error()));
  });
  for (const Status& answer : answers) {
    if (answer) continue;
    for (size_t i = 0; i < opened.size(); ++i)
      if (opened[i]) parts.services[i]->close_file(request.id);
    return Failure(answer.error());
  }
  return combined(parts.layout, states);
}

void StripedStorage::close_file(InodeId id) { close_files({&id, 1}); }

void StripedStorage::close_files(std::span<const InodeId> ids) {
  const auto all = by_service(ids);
  in_parallel(all.size(), [&](size_t i) { all[i].first->close_files(all[i].second); });
}

std::vector<std::pair<StripedStorage::ServicePtr, std::vector<InodeId>>> StripedStorage::by_service(
    std::span<const InodeId> ids) {
  std::map<ServicePtr, std::vector<InodeId>> files;
  for (const InodeId id : ids) {
    const Result<Parts> parts = parts_of(id);
    if (!parts) continue;
    for (const ServicePtr& service : parts->services) files[service].push_back(id);
  }
  return {files.begin(), files.end()};
}

Result<ChunkState> StripedStorage::stat_file(InodeId id) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  return parts.none() ? ChunkState{} : stat_parts(id, parts);
}

Status StripedStorage::sync(InodeId id) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  return tell_all(parts, [id](StorageService& part) { return part.sync(id); });
}

Status StripedStorage::set_mtime(InodeId id, FileTime mtime) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  return tell_all(parts, [&](StorageService& part) { return part.set_mtime(id, mtime); });
}

void StripedStorage::start_fetch(InodeId id, uint64_t offset) {
  const Result<Parts> parts = parts_of(id);
  if (parts) in_parallel(parts->services.size(), [&](size_t i) { parts->services[i]->start_fetch(id, offset); });
}

Status StripedStorage::fetch_all(InodeId id, std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
  return tell_all(parts, [&](StorageService& part) { return part.fetch_all(id, limit); });
}

Status StripedStorage::expect_version_change(InodeId id, bool sets_mtime) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  return tell_all(parts, [&](StorageService& part) { return part.expect_version_change(id, sets_mtime); });
}

Status StripedStorage::settle_expectation(InodeId id, const Validator& now) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  return tell_all(parts, [&](StorageService& part) { return part.settle_expectation(id, now); });
}

Status StripedStorage::set_version(InodeId id, const Validator& from, const Validator& to) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  return tell_all(parts, [&](StorageService& part) { return part.set_version(id, from, to); });
}

Result<bool> StripedStorage::outside_changed(InodeId id, const Validator& now) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  ASSIGN_OR_RETURN(const auto dropped,
                   ask_all(parts, [&](StorageService& part) { return part.outside_changed(id, now); }));
  if (std::find(dropped.begin(), dropped.end(), true) == dropped.end()) return false;
  if (parts.alone()) return true;
  // A part that has nothing says so as well, while others hold what is newer.
  ASSIGN_OR_RETURN(const ChunkState state, stat_parts(id, parts));
  return !state.dirty;
}

Result<uint64_t> StripedStorage::drop(InodeId id, uint64_t bytes) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  ASSIGN_OR_RETURN(const auto freed, ask_all(parts, [&](StorageService& part) { return part.drop(id, bytes); }));
  uint64_t sum = 0;
  for (const uint64_t part : freed) sum += part;
  return sum;
}

Status StripedStorage::discard(InodeId id) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  return tell_all(parts, [id](StorageService& part) { return part.discard(id); });
}

Status StripedStorage::revert(InodeId id, const Validator& version) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  return tell_all(parts, [&](StorageService& part) { return part.revert(id, version); });
}

Result<UniqueFd> StripedStorage::lease(const LeaseRequest& request) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(request.id));
  if (!parts.alone()) return fail(ENOTSUP, "inode {}: lies on several targets", request.id);
  return parts.first().lease(request);
}

void StripedStorage::end_lease(InodeId id) { end_leases({&id, 1}); }

// What is lent lies on one target.
void StripedStorage::end_leases(std::span<const InodeId> ids) {
  for (const auto& [service, its] : by_service(ids)) service->end_leases(its);
}

Result<SettleReply> StripedStorage::settle(InodeId id) {
  ASSIGN_OR_RETURN(const Parts parts, parts_of(id));
  if (parts.alone()) return parts.first().settle(id);
  ASSIGN_OR_RETURN(const auto settled, ask_all(parts, [id](StorageService& part) { return part.settle(id); }));
  SettleReply whole{.settled = Settled::kClean, .state = {}};
  for (const SettleReply& part : settled) whole.settled = std::min(whole.settled, part.settled);
  ASSIGN_OR_RETURN(whole.state, stat_file(id));
  return whole;
}

// Those that lie on one target are asked for together.
std::vector<Result<SettleReply>> StripedStorage::settle_many(std::span<const InodeId> ids) {
  std::vector<Result<SettleReply>> replies(ids.size());
  std::map<ServicePtr, std::vector<size_t>> places;
  for (size_t i = 0; i < ids.size(); ++i) {
    Result<Parts> parts = parts_of(ids[i]);
    if (!parts) {
      replies[i] = Failure(std::move(parts).error());
    } else if (parts->alone()) {
      places[parts->services.front()].push_back(i);
    } else {
      replies[i] = settle(ids[i]);
    }
  }
  for (const auto& [service, its] : places) {
    std::vector<InodeId> asked;
    for (const size_t place : its) asked.push_back(ids[place]);
    std::vector<Result<SettleReply>> settled = service->settle_many(asked);
    for (size_t i = 0; i < its.size(); ++i) replies[its[i]] = std::move(settled[i]);
  }
  return replies;
}

void StripedStorage::look_at_leases() {
  for (const TargetId target : directory_.online_targets()) {
    if (const Result<ServicePtr> service = directory_.service_of(target); service) (*service)->look_at_leases();
  }
}

SpaceReport StripedStorage::space() {
  SpaceReport sum;
  for (const TargetId target : directory_.online_targets()) {
    const SpaceReport one = space_of(target);
    if (one.capacity_bytes == 0) ++sum.silent_targets;
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
