#include "data_work.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <stdexcept>

#include "pattern.h"
#include "tests/walk/fd.h"

namespace forebay::load {
namespace {

using walk::UniqueFd;

UniqueFd open_file(const std::string& path, int flags) {
  UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!file) fail_with_errno(path);
  return file;
}

// One call, as an application makes it: what it transfers less than wanted goes in further ones.
template <typename Call>
void transfer_all(const std::string& path, std::span<char> buffer, uint64_t offset, Call call) {
  while (!buffer.empty()) {
    const ssize_t got = call(buffer, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_errno(path);
    if (got == 0) throw std::runtime_error(fmt::format("{}: ends at {}", path, offset));
    buffer = buffer.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
}

}  // namespace

DataWork::DataWork(Place place, const DataOptions& options)
    : place_(std::move(place)), options_(options), buffer_(options.transfer_bytes) {
  if (options_.transfer_bytes == 0 || options_.transfer_bytes % kPageBytes != 0 ||
      options_.block_bytes % options_.transfer_bytes != 0) {
    throw std::runtime_error(
        fmt::format("blocks are whole transfers, and transfers are whole pages of {} bytes", kPageBytes));
  }
}

bool DataWork::knows(const std::string& phase) const {
  return phase == "write" || phase == "sync" || phase == "read" || phase == "check" || phase == "remove";
}

Done DataWork::run(const std::string& phase, uint64_t shift) {
  const uint64_t rank = (place_.rank + shift) % place_.ranks;
  if (phase == "write") return write();
  if (phase == "sync") return sync();
  if (phase == "remove") return remove(place_.rank);
  return read(rank, phase == "check");
}

std::string DataWork::path_of(uint64_t rank) const {
  if (options_.layout != FileLayout::kOwn) return place_.directory + "/shared";
  return fmt::format("{}/own.{}", place_.directory, rank);
}

uint64_t DataWork::offset_of(uint64_t rank, uint64_t transfer) const {
  switch (options_.layout) {
    case FileLayout::kSegmented:
      return rank * options_.block_bytes + transfer * options_.transfer_bytes;
    case FileLayout::kStrided:
      return (transfer * place_.ranks + rank) * options_.transfer_bytes;
    case FileLayout::kOwn:
      break;
  }
  return transfer * options_.transfer_bytes;
}

Done DataWork::write() {
  const Pattern pattern(options_.seed, place_.rank);
  pattern.fill(buffer_);
  const std::string path = path_of(place_.rank);
  const UniqueFd file = open_file(path, O_WRONLY | O_CREAT);
  for (uint64_t i = 0; i < transfers(); ++i) {
    const uint64_t offset = offset_of(place_.rank, i);
    pattern.stamp(buffer_, offset);
    transfer_all(path, buffer_, offset,
                 [&](std::span<char> data, off_t at) { return ::pwrite(file.get(), data.data(), data.size(), at); });
  }
  return {transfers(), options_.block_bytes};
}

Done DataWork::read(uint64_t rank, bool all) {
  const Pattern pattern(options_.seed, rank);
  const std::string path = path_of(rank);
  const UniqueFd file = open_file(path, O_RDONLY);
  for (uint64_t i = 0; i < transfers(); ++i) {
    const uint64_t offset = offset_of(rank, i);
    transfer_all(path, buffer_, offset,
                 [&](std::span<char> data, off_t at) { return ::pread(file.get(), data.data(), data.size(), at); });
    if (!pattern.is_at(buffer_, offset, all)) {
      throw std::runtime_error(fmt::format("{}: wrong data at {} to {}, of process {}", path, offset,
                                           offset + options_.transfer_bytes, rank));
    }
  }
  return {transfers(), options_.block_bytes};
}

Done DataWork::sync() {
  const std::string path = path_of(place_.rank);
  const UniqueFd file = open_file(path, O_WRONLY);
  if (::fsync(file.get()) != 0) fail_with_errno(path);
  return {1, 0};
}

Done DataWork::remove(uint64_t rank) {
  if (options_.layout != FileLayout::kOwn && rank != 0) return {};
  const std::string path = path_of(rank);
  if (::unlink(path.c_str()) != 0) fail_with_errno(path);
  return {1, 0};
}

}  // namespace forebay::load
