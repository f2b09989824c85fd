#include <unistd.h>

#include "core/protocol/wire/convert.h"

namespace forebay::wire {

void encode(const forebay::ChunkState& from, ChunkState& to) {
  to.set_size(from.size);
  to.set_present_bytes(from.present_bytes);
  to.set_dirty_bytes(from.dirty_bytes);
  to.set_blocks(from.blocks);
  encode(from.mtime, *to.mutable_mtime());
  encode(from.ctime, *to.mutable_ctime());
  encode(from.mtime0, *to.mutable_mtime0());
  to.set_exists(from.exists);
  to.set_complete(from.complete);
  to.set_dirty(from.dirty);
  to.set_leased(from.leased);
}

forebay::ChunkState decode(const ChunkState& from) {
  forebay::ChunkState to;
  to.size = from.size();
  to.present_bytes = from.present_bytes();
  to.dirty_bytes = from.dirty_bytes();
  to.blocks = from.blocks();
  to.mtime = decode(from.mtime());
  to.ctime = decode(from.ctime());
  to.mtime0 = decode(from.mtime0());
  to.exists = from.exists();
  to.complete = from.complete();
  to.dirty = from.dirty();
  to.leased = from.leased();
  return to;
}

void encode(const forebay::CachingFileRequest& from, CachingFileRequest& to) {
  to.set_id(from.id);
  encode(from.source, *to.mutable_source());
  encode(from.version, *to.mutable_version());
  to.set_blocks(from.blocks);
  to.set_block_size(from.block_size);
  encode(from.layout, *to.mutable_layout());
  to.set_created(from.created);
  to.set_newer(from.newer);
  to.set_handles(from.handles);
  to.set_transient(from.transient);
  to.set_lease_announced(from.lease_announced);
  to.set_run(from.run);
}

Result<forebay::CachingFileRequest> decode(const CachingFileRequest& from) {
  forebay::CachingFileRequest to;
  to.id = from.id();
  to.source = decode(from.source());
  to.version = decode(from.version());
  to.blocks = from.blocks();
  to.block_size = from.block_size();
  ASSIGN_OR_RETURN(to.layout, decode(from.layout()));
  to.created = from.created();
  to.newer = from.newer();
  to.handles = from.handles();
  to.transient = from.transient();
  to.lease_announced = from.lease_announced();
  to.run = from.run();
  return to;
}

void encode(const forebay::SeekRequest& from, SeekRequest& to) {
  to.set_id(from.id);
  to.set_offset(from.offset);
  to.set_whence(from.whence == SEEK_HOLE ? WHENCE_HOLE : WHENCE_DATA);
}

Result<forebay::SeekRequest> decode(const SeekRequest& from) {
  if (from.whence() != WHENCE_DATA && from.whence() != WHENCE_HOLE) {
    return fail(EPROTO, "seek with whence {}", static_cast<int>(from.whence()));
  }
  return forebay::SeekRequest{from.id(), from.offset(), from.whence() == WHENCE_HOLE ? SEEK_HOLE : SEEK_DATA};
}

void encode(const forebay::FlushBeginRequest& from, FlushBeginRequest& to) {
  to.set_id(from.id);
  encode(from.source, *to.mutable_source());
  to.set_overwrite(from.overwrite);
  if (from.layout) encode(*from.layout, *to.mutable_layout());
}

Result<forebay::FlushBeginRequest> decode(const FlushBeginRequest& from) {
  forebay::FlushBeginRequest to;
  to.id = from.id();
  to.source = decode(from.source());
  to.overwrite = from.overwrite();
  if (from.has_layout()) {
    ASSIGN_OR_RETURN(to.layout, decode(from.layout()));
  }
  return to;
}

void encode(const forebay::FlushBeginReply& from, FlushBeginReply& to) {
  to.set_conflict(from.conflict);
  to.set_size(from.size);
  to.set_base(from.base);
  if (from.outdated) encode(*from.outdated, *to.mutable_outdated());
}

forebay::FlushBeginReply decode(const FlushBeginReply& from) {
  forebay::FlushBeginReply to{from.conflict(), from.size(), from.base(), {}};
  if (from.has_outdated()) to.outdated = decode(from.outdated());
  return to;
}

void encode(const forebay::FlushCommitRequest& from, FlushCommitRequest& to) {
  to.set_id(from.id);
  if (from.mtime) encode(*from.mtime, *to.mutable_mtime());
  if (from.version) encode(*from.version, *to.mutable_version());
}

forebay::FlushCommitRequest decode(const FlushCommitRequest& from) {
  forebay::FlushCommitRequest to;
  to.id = from.id();
  if (from.has_mtime()) to.mtime = decode(from.mtime());
  if (from.has_version()) to.version = decode(from.version());
  return to;
}

void encode(const forebay::FlushCommitReply& from, FlushCommitReply& to) {
  encode(from.version, *to.mutable_version());
  encode(from.ctime, *to.mutable_ctime());
  to.set_clean(from.clean);
  to.set_leased(from.leased);
}

forebay::FlushCommitReply decode(const FlushCommitReply& from) {
  return {decode(from.version()), decode(from.ctime()), from.clean(), from.leased()};
}

void encode(const forebay::LeaseRequest& from, LeaseRequest& to) {
  to.set_id(from.id);
  to.set_writes(from.writes);
  to.set_at_any_room(from.at_any_room);
  to.set_beside(from.beside);
  to.set_direct(from.direct);
  if (from.new_file) encode(*from.new_file, *to.mutable_new_file());
}

Result<forebay::LeaseRequest> decode(const LeaseRequest& from) {
  forebay::LeaseRequest to{from.id(), from.writes(), from.at_any_room(), from.beside(), from.direct(), {}};
  if (!from.has_new_file()) return to;
  ASSIGN_OR_RETURN(to.new_file, decode(from.new_file()));
  if (to.new_file->id != to.id || to.new_file->run == 0)
    return fail(EPROTO, "a lease of another file than the new one");
  return to;
}

void encode(const forebay::SettleReply& from, SettleReply& to) {
  encode(from.state, *to.mutable_state());
  switch (from.settled) {
    case forebay::Settled::kNewer:
      return to.set_settled(SETTLED_NEWER);
    case forebay::Settled::kUnchanged:
      return to.set_settled(SETTLED_UNCHANGED);
    case forebay::Settled::kClean:
      return to.set_settled(SETTLED_CLEAN);
  }
}

// A file taken for clean by mistake would be dropped with what is new in it.
Result<forebay::SettleReply> decode(const SettleReply& from) {
  const ChunkState& state = from.state();
  switch (from.settled()) {
    case SETTLED_NEWER:
      return forebay::SettleReply{forebay::Settled::kNewer, decode(state)};
    case SETTLED_UNCHANGED:
      return forebay::SettleReply{forebay::Settled::kUnchanged, decode(state)};
    case SETTLED_CLEAN:
      return forebay::SettleReply{forebay::Settled::kClean, decode(state)};
    default:
      return fail(EPROTO, "a file settled as {}", static_cast<int>(from.settled()));
  }
}

void encode(const forebay::SpaceReport& from, SpaceReport& to) {
  to.set_capacity_bytes(from.capacity_bytes);
  to.set_used_bytes(from.used_bytes);
  to.set_reserved_bytes(from.reserved_bytes);
  to.set_dirty_bytes(from.dirty_bytes);
  to.set_hits(from.hits);
  to.set_misses(from.misses);
  to.set_fetched_bytes(from.fetched_bytes);
  to.set_flushed_bytes(from.flushed_bytes);
}

forebay::SpaceReport decode(const SpaceReport& from) {
  forebay::SpaceReport to;
  to.capacity_bytes = from.capacity_bytes();
  to.used_bytes = from.used_bytes();
  to.reserved_bytes = from.reserved_bytes();
  to.dirty_bytes = from.dirty_bytes();
  to.hits = from.hits();
  to.misses = from.misses();
  to.fetched_bytes = from.fetched_bytes();
  to.flushed_bytes = from.flushed_bytes();
  return to;
}

}  // namespace forebay::wire
