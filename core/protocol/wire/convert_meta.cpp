#include "core/protocol/wire/convert.h"

namespace forebay::wire {
namespace {

// What is no layout delegates nothing.
template <typename Reply>
std::optional<forebay::Layout> delegated_in(const Reply& reply) {
  if (!reply.has_delegated()) return {};
  Result<forebay::Layout> layout = decode(reply.delegated());
  return layout ? std::optional(*std::move(layout)) : std::nullopt;
}

}  // namespace

void encode(const forebay::AttributesReply& from, AttributesReply& to) {
  encode(from.attributes, *to.mutable_attributes());
  to.set_valid_for_ms(encode_limit(from.valid_for));
  if (from.delegated) encode(*from.delegated, *to.mutable_delegated());
}

forebay::AttributesReply decode(const AttributesReply& from) {
  return {decode(from.attributes()), decode_limit(from.valid_for_ms()), delegated_in(from)};
}

void encode(const forebay::EntryReply& from, EntryReply& to) {
  to.set_id(from.id);
  encode(from.attributes, *to.mutable_attributes());
  to.set_valid_for_ms(encode_limit(from.valid_for));
  if (from.delegated) encode(*from.delegated, *to.mutable_delegated());
  if (!from.elsewhere) return;
  to.mutable_elsewhere()->set_server(from.elsewhere->server);
  encode(from.elsewhere->identity, *to.mutable_elsewhere()->mutable_identity());
}

forebay::EntryReply decode(const EntryReply& from) {
  forebay::EntryReply to{
      from.id(), decode(from.attributes()), decode_limit(from.valid_for_ms()), {}, delegated_in(from)};
  if (from.has_elsewhere()) to.elsewhere = {from.elsewhere().server(), decode(from.elsewhere().identity())};
  return to;
}

void encode(const forebay::OpenReply& from, OpenReply& to) {
  encode(from.layout, *to.mutable_layout());
  to.set_flush_failures(from.flush_failures);
}

Result<forebay::OpenReply> decode(const OpenReply& from) {
  ASSIGN_OR_RETURN(forebay::Layout layout, decode(from.layout()));
  return forebay::OpenReply{std::move(layout), from.flush_failures()};
}

void encode(const forebay::NamesReply& from, NamesReply& to) {
  to.set_valid_for_ms(encode_limit(from.valid_for));
  if (from.valid_for > std::chrono::milliseconds::zero()) to.set_names(std::string(from.names.bytes()));
}

Result<forebay::NamesReply> decode(const NamesReply& from) {
  if (from.valid_for_ms() == 0) return forebay::NamesReply();
  std::optional<NameFilter> names = NameFilter::of_bytes(from.names());
  if (!names) return fail(EPROTO, "names of a directory that make no sense");
  return forebay::NamesReply{*std::move(names), decode_limit(from.valid_for_ms())};
}

void encode(const forebay::CreateReply& from, CreateReply& to) {
  encode(static_cast<const forebay::EntryReply&>(from), *to.mutable_entry());
  encode(from.layout, *to.mutable_layout());
  if (from.new_file) encode(*from.new_file, *to.mutable_new_file());
  to.set_likely_empty(from.likely_empty);
}

Result<forebay::CreateReply> decode(const CreateReply& from) {
  ASSIGN_OR_RETURN(forebay::Layout layout, decode(from.layout()));
  forebay::CreateReply to{decode(from.entry()), std::move(layout), {}, from.likely_empty()};
  if (from.has_new_file()) {
    ASSIGN_OR_RETURN(to.new_file, decode(from.new_file()));
  }
  return to;
}

void encode(const SetAttributes& from, SetattrRequest& to) {
  if (from.set_mode) to.set_mode(from.mode);
  if (from.set_uid) to.set_uid(from.uid);
  if (from.set_gid) to.set_gid(from.gid);
  if (from.set_size) to.set_size(from.size);
  if (from.set_atime) encode(from.atime, *to.mutable_atime());
  if (from.set_mtime) encode(from.mtime, *to.mutable_mtime());
  to.set_atime_now(from.atime_now);
  to.set_mtime_now(from.mtime_now);
  to.set_strip_set_id_bits(from.strip_set_id_bits);
}

SetAttributes decode(const SetattrRequest& from) {
  SetAttributes to;
  to.set_mode = from.has_mode();
  to.set_uid = from.has_uid();
  to.set_gid = from.has_gid();
  to.set_size = from.has_size();
  to.set_atime = from.has_atime();
  to.set_mtime = from.has_mtime();
  to.atime_now = from.atime_now();
  to.mtime_now = from.mtime_now();
  to.strip_set_id_bits = from.strip_set_id_bits();
  to.mode = from.mode();
  to.uid = from.uid();
  to.gid = from.gid();
  to.size = from.size();
  to.atime = decode(from.atime());
  to.mtime = decode(from.mtime());
  return to;
}

void encode(const struct statvfs& from, StatfsReply& to) {
  to.set_block_size(from.f_bsize);
  to.set_fragment_size(from.f_frsize);
  to.set_blocks(from.f_blocks);
  to.set_free_blocks(from.f_bfree);
  to.set_available_blocks(from.f_bavail);
  to.set_files(from.f_files);
  to.set_free_files(from.f_ffree);
  to.set_available_files(from.f_favail);
  to.set_id(from.f_fsid);
  to.set_flags(from.f_flag);
  to.set_most_name_bytes(from.f_namemax);
}

struct statvfs decode(const StatfsReply& from) {
  struct statvfs to = {};
  to.f_bsize = from.block_size();
  to.f_frsize = from.fragment_size();
  to.f_blocks = from.blocks();
  to.f_bfree = from.free_blocks();
  to.f_bavail = from.available_blocks();
  to.f_files = from.files();
  to.f_ffree = from.free_files();
  to.f_favail = from.available_files();
  to.f_fsid = from.id();
  to.f_flag = from.flags();
  to.f_namemax = from.most_name_bytes();
  return to;
}

void encode(const CacheState& from, CacheStateReply& to) {
  to.set_cached(from.cached);
  to.set_dirty(from.dirty);
  to.set_pinned(from.pinned);
  to.set_size(from.size);
  to.set_present_bytes(from.present_bytes);
  to.set_dirty_bytes(from.dirty_bytes);
  to.set_mtime0_ns(from.mtime0_ns);
  to.set_transient(from.transient);
  encode(from.layout, *to.mutable_layout());
}

Result<CacheState> decode(const CacheStateReply& from) {
  CacheState to;
  to.cached = from.cached();
  to.dirty = from.dirty();
  to.pinned = from.pinned();
  to.size = from.size();
  to.present_bytes = from.present_bytes();
  to.dirty_bytes = from.dirty_bytes();
  to.mtime0_ns = from.mtime0_ns();
  to.transient = from.transient();
  ASSIGN_OR_RETURN(to.layout, decode(from.layout()));
  return to;
}

void encode(const forebay::WorkProgress& from, WorkProgress& to) {
  to.set_remaining_bytes(from.remaining_bytes);
  to.set_remaining_files(from.remaining_files);
  to.set_failed_files(from.failed_files);
  to.set_conflicts(from.conflicts);
  encode(from.last_error, *to.mutable_last_error());
}

forebay::WorkProgress decode(const WorkProgress& from) {
  forebay::WorkProgress to;
  to.remaining_bytes = from.remaining_bytes();
  to.remaining_files = from.remaining_files();
  to.failed_files = from.failed_files();
  to.conflicts = from.conflicts();
  to.last_error = decode(from.last_error());
  return to;
}

void encode(const CacheStatus& from, CacheStatusReply& to) {
  to.set_capacity_bytes(from.capacity_bytes);
  to.set_used_bytes(from.used_bytes);
  to.set_dirty_bytes(from.dirty_bytes);
  to.set_dirty_files(from.dirty_files);
  to.set_cached_files(from.cached_files);
  to.set_pinned_bytes(from.pinned_bytes);
  to.set_hits(from.hits);
  to.set_misses(from.misses);
  to.set_fetched_bytes(from.fetched_bytes);
  to.set_flushed_bytes(from.flushed_bytes);
  to.set_evicted_bytes(from.evicted_bytes);
  to.set_flush_failures(from.flush_failures);
  to.set_conflicts(from.conflicts);
  to.set_inodes_in_memory(from.inodes_in_memory);
  to.set_silent_servers(from.silent_servers);
}

CacheStatus decode(const CacheStatusReply& from) {
  CacheStatus to;
  to.capacity_bytes = from.capacity_bytes();
  to.used_bytes = from.used_bytes();
  to.dirty_bytes = from.dirty_bytes();
  to.dirty_files = from.dirty_files();
  to.cached_files = from.cached_files();
  to.pinned_bytes = from.pinned_bytes();
  to.hits = from.hits();
  to.misses = from.misses();
  to.fetched_bytes = from.fetched_bytes();
  to.flushed_bytes = from.flushed_bytes();
  to.evicted_bytes = from.evicted_bytes();
  to.flush_failures = from.flush_failures();
  to.conflicts = from.conflicts();
  to.inodes_in_memory = from.inodes_in_memory();
  to.silent_servers = from.silent_servers();
  return to;
}

void encode(const forebay::AnswerNews& from, AnswerNews& to) {
  to.set_number(from.number);
  to.set_names(from.names);
  to.mutable_inodes()->Assign(from.inodes.begin(), from.inodes.end());
}

forebay::AnswerNews decode(const AnswerNews& from) {
  return {from.number(), from.names(), {from.inodes().begin(), from.inodes().end()}};
}

}  // namespace forebay::wire
