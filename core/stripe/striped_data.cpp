// Reads, writes, and changes of the size of a file on one or several targets.
#include <unistd.h>

#include <algorithm>

#include "core/stripe/ask_all.h"

namespace forebay {
namespace {

std::vector<Piece> pieces_of(const Layout& layout, uint64_t offset, uint64_t bytes) {
  std::vector<Piece> pieces;
  for (const uint64_t end = offset + bytes; offset < end; offset += pieces.back().bytes) {
    pieces.push_back(first_piece(layout, offset, end - offset));
  }
  return pieces;
}

}  // namespace

Result<size_t> StripedStorage::read(InodeId id, uint64_t offset, std::span<char> buffer) {
  return ask_again(id, [&]() -> Result<size_t> {
    ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
    return parts.alone() ? parts.first().read(id, offset, buffer) : read_parts(id, parts, offset, buffer);
  });
}

// Where a part has less than was asked for, the file ends, or there is a hole that other parts go beyond.
Result<size_t> StripedStorage::read_parts(InodeId id, const Parts& parts, uint64_t offset, std::span<char> buffer) {
  const std::vector<Piece> pieces = pieces_of(parts.layout, offset, buffer.size());
  const auto room_of = [&](const Piece& piece) { return buffer.subspan(piece.offset - offset, piece.bytes); };
  std::vector<PendingRead> pending;
  for (const Piece& piece : pieces) {
    pending.push_back(parts.at(piece).begin_read(id, piece.offset, room_of(piece)));
  }
  Status failed;
  std::vector<Piece> short_ones;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Result<size_t> bytes = pending[i]();
    if (!bytes && failed) failed = Failure(bytes.error());
    if (bytes && *bytes < pieces[i].bytes) short_ones.push_back(pieces[i]);
  }
  RETURN_IF_ERROR(failed);
  if (short_ones.empty()) return buffer.size();

  ASSIGN_OR_RETURN(const ChunkState state, stat_parts(id, parts));
  const uint64_t end = std::min(offset + buffer.size(), state.size);
  for (const Piece& piece : short_ones) {
    if (piece.offset >= end) continue;
    // Once more: who made the file this large may have written here before that, and after the first look.
    ASSIGN_OR_RETURN(const size_t bytes, parts.at(piece).read(id, piece.offset, room_of(piece)));
    std::ranges::fill(room_of(piece).subspan(bytes), '\0');
  }
  return end > offset ? static_cast<size_t>(end - offset) : 0;
}

// Of one target alone: what is elsewhere is not in one file.
bool StripedStorage::read_in_place(InodeId id, uint64_t offset, size_t bytes, const TakeInPlace& take) {
  const Result<Parts> parts = need_parts_of(id);
  return parts && parts->alone() && parts->first().read_in_place(id, offset, bytes, take);
}

bool StripedStorage::await_reads(InodeId id, std::chrono::steady_clock::time_point began,
                                 std::chrono::milliseconds limit) {
  const Result<Parts> parts = need_parts_of(id);
  if (!parts) return true;
  const auto over =
      ask_all(*parts, [&](StorageService& part) -> Result<bool> { return part.await_reads(id, began, limit); });
  return std::find(over->begin(), over->end(), false) == over->end();
}

Status StripedStorage::write(InodeId id, uint64_t offset, std::span<const char> data) {
  return ask_again(id, [&]() -> Status {
    ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
    if (parts.alone()) return parts.first().write(id, offset, data);
    if (data.empty()) return {};
    if (offset == kAtEnd) {
      ASSIGN_OR_RETURN(const ChunkState state, stat_parts(id, parts));
      ASSIGN_OR_RETURN(offset, parts.first().reserve_end(id, state.size, data.size()));
    }
    return write_parts(id, parts, offset, data);
  });
}

Status StripedStorage::write_parts(InodeId id, const Parts& parts, uint64_t offset, std::span<const char> data) {
  std::vector<PendingWrite> pending;
  for (const Piece& piece : pieces_of(parts.layout, offset, data.size())) {
    const std::span<const char> bytes = data.subspan(piece.offset - offset, piece.bytes);
    pending.push_back(parts.at(piece).begin_write(id, piece.offset, bytes));
  }
  Status done;
  for (const PendingWrite& end : pending) {
    Status written = end();
    if (done) done = std::move(written);
  }
  return done;
}

Result<uint64_t> StripedStorage::reserve_end(InodeId id, uint64_t size, uint64_t bytes) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
  return parts.first().reserve_end(id, size, bytes);
}

Status StripedStorage::truncate(InodeId id, uint64_t size) {
  ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
  return tell_all(parts, [&](StorageService& part) { return part.truncate(id, size); });
}

Status StripedStorage::allocate(InodeId id, int mode, uint64_t offset, uint64_t length) {
  return ask_again(id, [&]() -> Status {
    ASSIGN_OR_RETURN(const Parts parts, need_parts_of(id));
    return tell_all(parts, [&](StorageService& part) { return part.allocate(id, mode, offset, length); });
  });
}

Result<uint64_t> StripedStorage::seek(const SeekRequest& request) {
  return ask_again(request.id, [&]() -> Result<uint64_t> {
    ASSIGN_OR_RETURN(const Parts parts, need_parts_of(request.id));
    return parts.alone() ? parts.first().seek(request) : seek_parts(request, parts);
  });
}

// The nearest of what the parts have; a part where the file goes on behind its bytes tells of a hole there.
Result<uint64_t> StripedStorage::seek_parts(const SeekRequest& request, const Parts& parts) {
  ASSIGN_OR_RETURN(const ChunkState state, stat_parts(request.id, parts));
  if (request.offset >= state.size) return fail(ENXIO);
  ASSIGN_OR_RETURN(const auto found, ask_all(parts, [&](StorageService& part) -> Result<uint64_t> {
                     const Result<uint64_t> at = part.seek(request);
                     if (!at && at.error().code == ENXIO) return UINT64_MAX;
                     return at;
                   }));
  const uint64_t nearest = *std::min_element(found.begin(), found.end());
  if (nearest < state.size) return nearest;
  if (request.whence == SEEK_HOLE) return state.size;
  return fail(ENXIO);
}

}  // namespace forebay
