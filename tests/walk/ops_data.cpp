// read, pread, readv, write, pwrite, writev, fsync, fdatasync, posix_fadvise.
#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

constexpr int kMaxPieces = 5;

// Cuts a buffer into pieces; the first is short, so that the others start unaligned.
std::array<iovec, kMaxPieces> cut(char* buffer, int64_t length, int64_t pieces) {
  std::array<iovec, kMaxPieces> vectors{};
  int64_t done = 0;
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t part =
        i + 1 == pieces ? length - done : (i == 0 ? std::min<int64_t>(length, 7) : (length - done) / 2);
    vectors[static_cast<size_t>(i)] = {buffer + done, static_cast<size_t>(part)};
    done += part;
  }
  return vectors;
}

char* content(Side& side, const Op& op) { return const_cast<char*>(side.scratch().content(op.key, op.length)); }

bool plan_stream(Planner& p, Op& op, bool for_writing) {
  op.slot = p.streaming_slot(for_writing);
  if (op.slot < 0) return false;
  op.length = p.random().percent(1) ? 0 : p.transfer_length();
  const HandleInfo& handle = p.handles()[op.slot];
  op.check_position = !handle.is_directory() && !handle.path_only();
  if (!for_writing || !handle.is_file()) return true;
  const int64_t end = handle.appends() ? p.size_of(op.slot) : ::lseek(p.model().fd(op.slot), 0, SEEK_CUR);
  return end + op.length <= p.options().max_file_bytes;
}

bool plan_read(Planner& p, Op& op) { return plan_stream(p, op, false); }
bool plan_write(Planner& p, Op& op) { return plan_stream(p, op, true); }

bool plan_readv(Planner& p, Op& op) {
  op.flags2 = 1 + p.random().below(kMaxPieces);
  return plan_stream(p, op, false);
}

bool plan_writev(Planner& p, Op& op) {
  op.flags2 = 1 + p.random().below(kMaxPieces);
  return plan_stream(p, op, true);
}

bool plan_pread(Planner& p, Op& op) {
  op.slot = p.readable_slot();
  if (op.slot < 0) return false;
  p.choose_range(op);
  if (p.random().per_mille(3)) op.offset = -1;
  return true;
}

bool plan_pwrite(Planner& p, Op& op) {
  op.slot = p.writable_slot();
  if (op.slot < 0) return false;
  p.choose_range(op);
  if (p.random().per_mille(3)) op.offset = -1;
  return !p.handles()[op.slot].appends() || p.size_of(op.slot) + op.length <= p.options().max_file_bytes;
}

void keep(Side& side, Outcome& outcome, ssize_t count) {
  if (outcome.take(count)) outcome.bytes.assign(side.scratch().read_buffer(), static_cast<size_t>(count));
}

void run_read(Side& side, const Op& op, Outcome& outcome) {
  keep(side, outcome, ::read(side.fd(op.slot), side.scratch().read_buffer(), static_cast<size_t>(op.length)));
}

void run_pread(Side& side, const Op& op, Outcome& outcome) {
  char* buffer = side.scratch().read_buffer();
  keep(side, outcome, ::pread(side.fd(op.slot), buffer, static_cast<size_t>(op.length), op.offset));
}

void run_readv(Side& side, const Op& op, Outcome& outcome) {
  const auto vectors = cut(side.scratch().read_buffer(), op.length, op.flags2);
  keep(side, outcome, ::readv(side.fd(op.slot), vectors.data(), static_cast<int>(op.flags2)));
}

void run_write(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::write(side.fd(op.slot), content(side, op), static_cast<size_t>(op.length)));
}

void run_pwrite(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(::pwrite(side.fd(op.slot), content(side, op), static_cast<size_t>(op.length), op.offset));
}

void run_writev(Side& side, const Op& op, Outcome& outcome) {
  const auto vectors = cut(content(side, op), op.length, op.flags2);
  outcome.take(::writev(side.fd(op.slot), vectors.data(), static_cast<int>(op.flags2)));
}

bool plan_sync(Planner& p, Op& op) {
  op.slot = p.any_slot();
  return op.slot >= 0;
}

void run_fsync(Side& side, const Op& op, Outcome& outcome) { outcome.take(::fsync(side.fd(op.slot))); }
void run_fdatasync(Side& side, const Op& op, Outcome& outcome) { outcome.take(::fdatasync(side.fd(op.slot))); }

bool plan_fadvise(Planner& p, Op& op) {
  static constexpr int kAdvice[] = {POSIX_FADV_DONTNEED, POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED, POSIX_FADV_RANDOM,
                                    POSIX_FADV_SEQUENTIAL};
  op.slot = p.file_slot();
  op.flags = p.random().pick(kAdvice);
  return op.slot >= 0;
}

void run_fadvise(Side& side, const Op& op, Outcome& outcome) {
  outcome.value = ::posix_fadvise(side.fd(op.slot), 0, 0, static_cast<int>(op.flags));
}

}  // namespace

const OpTable& data_ops() {
  static const OpTable table = {
      {"read", 50, Effect::kNone, Risk::kNone, plan_read, run_read},
      {"pread", 60, Effect::kNone, Risk::kNone, plan_pread, run_pread},
      {"readv", 15, Effect::kNone, Risk::kNone, plan_readv, run_readv},
      {"write", 50, Effect::kContent, Risk::kNone, plan_write, run_write},
      {"pwrite", 70, Effect::kContent, Risk::kNone, plan_pwrite, run_pwrite},
      {"writev", 15, Effect::kContent, Risk::kNone, plan_writev, run_writev},
      {"fsync", 1, Effect::kNone, Risk::kNone, plan_sync, run_fsync},
      {"fdatasync", 1, Effect::kNone, Risk::kNone, plan_sync, run_fdatasync},
      {"fadvise", 4, Effect::kNone, Risk::kNone, plan_fadvise, run_fadvise},
  };
  return table;
}

}  // namespace forebay::walk
