// Shared mappings: short ones made for one access, and long ones that outlive other operations on their file.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "bus_guard.h"
#include "planner.h"
#include "side.h"

namespace forebay::walk {
namespace {

constexpr int64_t kLongest = 1 << 20;

int64_t file_size(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 ? status.st_size : 0;
}

// Nothing to map at or behind the end; an empty mapping still tells whether the handle allows it.
struct Window {
  int64_t start;   // of the mapping, a page border
  int64_t skip;    // from there to the first byte wanted
  int64_t length;  // wanted and there
};

Window window_of(int fd, const Op& op) {
  const int64_t skip = op.offset % kPage;
  return {op.offset - skip, skip, std::clamp<int64_t>(file_size(fd) - op.offset, 0, op.length)};
}

Mapping map_window(int fd, const Window& window, int protection, Outcome& outcome) {
  const auto length = static_cast<size_t>(window.skip + std::max<int64_t>(window.length, 1));
  void* address = ::mmap(nullptr, length, protection, MAP_SHARED, fd, window.start);
  if (address == MAP_FAILED) {
    outcome.take(-1);
    return {};
  }
  return {address, length};
}

bool plan_map_read(Planner& p, Op& op) {
  op.slot = p.readable_slot();
  if (op.slot < 0 || !p.handles()[op.slot].is_file()) return false;
  p.choose_range(op);
  return true;
}

void run_map_read(Side& side, const Op& op, Outcome& outcome) {
  const Window window = window_of(side.fd(op.slot), op);
  const Mapping mapping = map_window(side.fd(op.slot), window, PROT_READ, outcome);
  if (!mapping) return;
  char* buffer = side.scratch().read_buffer();
  if (guarded_copy(buffer, mapping.data() + window.skip, static_cast<size_t>(window.length)))
    outcome.bytes.assign(buffer, static_cast<size_t>(window.length));
  else
    outcome.error = EIO;
}

bool plan_map_write(Planner& p, Op& op) {
  op.slot = p.writable_slot();
  if (op.slot < 0 || !p.handles()[op.slot].is_file()) return false;
  p.choose_range(op);
  op.flags = p.options().tolerate_death || p.random().percent(4) ? MS_SYNC : p.random().percent(30) ? MS_ASYNC : 0;
  return true;
}

void run_map_write(Side& side, const Op& op, Outcome& outcome) {
  const Window window = window_of(side.fd(op.slot), op);
  Mapping mapping = map_window(side.fd(op.slot), window, PROT_READ | PROT_WRITE, outcome);
  if (!mapping || window.length == 0) return;
  const char* content = side.scratch().content(op.key, op.length);
  if (!guarded_copy(mapping.data() + window.skip, content, static_cast<size_t>(window.length))) {
    outcome.error = EIO;
    return;
  }
  outcome.value = window.length;
  if (op.flags != 0 && ::msync(mapping.data(), mapping.length(), static_cast<int>(op.flags)) != 0)
    outcome.error = errno;
  if (mapping.unmap() != 0 && outcome.error == 0) outcome.error = errno;
}

bool plan_map_open(Planner& p, Op& op) {
  op.slot = p.readable_slot();
  op.slot2 = p.handles().free_map();
  if (op.slot < 0 || op.slot2 < 0 || !p.handles()[op.slot].is_file()) return false;
  op.flags = p.random().percent(60) ? PROT_READ | PROT_WRITE : PROT_READ;
  op.length = kPage + p.random().below(kLongest);
  op.offset = p.random().below(p.size_of(op.slot) + 1) / kPage * kPage;
  return true;
}

void run_map_open(Side& side, const Op& op, Outcome& outcome) {
  void* address = ::mmap(nullptr, static_cast<size_t>(op.length), static_cast<int>(op.flags), MAP_SHARED,
                         side.fd(op.slot), op.offset);
  if (address == MAP_FAILED) {
    outcome.take(-1);
    return;
  }
  // No open file: only the inode, to ask for its size.
  const std::string path = fmt::format("/proc/self/fd/{}", side.fd(op.slot));
  UniqueFd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
  side.set_mapping(op.slot2, {address, static_cast<size_t>(op.length)}, std::move(file));
}

void settle_map_open(Planner& p, const Op& op, const Outcome& outcome) {
  if (outcome.error != 0) return;
  p.handles().map(op.slot2) = {.open = true,
                               .writable = (op.flags & PROT_WRITE) != 0,
                               .inode = p.handles()[op.slot].inode,
                               .offset = op.offset,
                               .length = op.length};
}

bool plan_map_load(Planner& p, Op& op) {
  op.slot2 = p.handles().pick_map(p.random(), false);
  if (op.slot2 < 0) return false;
  const MapInfo& map = p.handles().map(op.slot2);
  const int64_t within = std::min(map.length, file_size(p.model().mapped_file(op.slot2)) - map.offset);
  op.offset = p.random().below(within > 0 && p.random().percent(80) ? within : map.length);
  op.length = std::min(p.transfer_length(), map.length - op.offset);
  return true;
}

// Behind the last page of the file there is SIGBUS, here as there.
void run_map_load(Side& side, const Op& op, Outcome& outcome) {
  char* buffer = side.scratch().read_buffer();
  if (guarded_copy(buffer, side.mapping(op.slot2).data() + op.offset, static_cast<size_t>(op.length)))
    outcome.bytes.assign(buffer, static_cast<size_t>(op.length));
  else
    outcome.error = EIO;
}

// Within the file only: what is stored behind its end is nobody's promise. Always synced, so that the next store
// counts as a change again.
bool plan_map_store(Planner& p, Op& op) {
  op.slot2 = p.handles().pick_map(p.random(), true);
  if (op.slot2 < 0) return false;
  const MapInfo& map = p.handles().map(op.slot2);
  const int64_t within = std::min(map.length, file_size(p.model().mapped_file(op.slot2)) - map.offset);
  if (within <= 0) return false;
  op.offset = p.random().below(within);
  op.length = std::min(p.transfer_length(), within - op.offset);
  return true;
}

void run_map_store(Side& side, const Op& op, Outcome& outcome) {
  char* to = side.mapping(op.slot2).data() + op.offset;
  if (!guarded_copy(to, side.scratch().content(op.key, op.length), static_cast<size_t>(op.length))) {
    outcome.error = EIO;
    return;
  }
  const int64_t page = op.offset / kPage * kPage;
  char* start = side.mapping(op.slot2).data() + page;
  outcome.take(::msync(start, static_cast<size_t>(op.offset + op.length - page), MS_SYNC));
}

bool plan_map_close(Planner& p, Op& op) {
  op.slot2 = p.handles().pick_map(p.random(), false);
  return op.slot2 >= 0;
}

void run_map_close(Side& side, const Op& op, Outcome& outcome) {
  outcome.take(side.mapping(op.slot2).unmap());
  side.set_mapping(op.slot2, {}, {});
}

void settle_map_close(Planner& p, const Op& op, const Outcome&) { p.handles().map(op.slot2) = {}; }

}  // namespace

const OpTable& map_ops() {
  static const OpTable table = {
      {"map_read", 14, Effect::kNone, Risk::kNone, plan_map_read, run_map_read},
      {"map_write", 14, Effect::kContent, Risk::kNone, plan_map_write, run_map_write},
      {"map_open", 4, Effect::kNone, Risk::kNone, plan_map_open, run_map_open, settle_map_open},
      {"map_load", 10, Effect::kNone, Risk::kNone, plan_map_load, run_map_load},
      {"map_store", 1, Effect::kContent, Risk::kNone, plan_map_store, run_map_store},
      {"map_close", 3, Effect::kNone, Risk::kMap, plan_map_close, run_map_close, settle_map_close},
  };
  return table;
}

}  // namespace forebay::walk
