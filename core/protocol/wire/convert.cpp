#include "core/protocol/wire/convert.h"

#include <algorithm>

#include "core/layout.h"

namespace forebay::wire {
namespace {

constexpr std::chrono::milliseconds kLongestLimit = std::chrono::hours(24 * 365);

}  // namespace

uint64_t encode_limit(std::chrono::milliseconds limit) {
  return static_cast<uint64_t>(std::clamp(limit, std::chrono::milliseconds(0), kLongestLimit).count());
}

std::chrono::milliseconds decode_limit(uint64_t milliseconds) {
  return std::chrono::milliseconds(std::min(milliseconds, static_cast<uint64_t>(kLongestLimit.count())));
}

void encode(const FileTime& from, Time& to) {
  to.set_seconds(from.seconds);
  to.set_nanoseconds(static_cast<uint32_t>(from.nanoseconds));
}

FileTime decode(const Time& from) {
  constexpr uint32_t kMostNanoseconds = 999'999'999;
  return {from.seconds(), static_cast<int32_t>(std::min(from.nanoseconds(), kMostNanoseconds))};
}

void encode(const forebay::Identity& from, Identity& to) {
  to.set_device(from.device);
  to.set_inode(from.inode);
  encode(from.birth, *to.mutable_birth());
}

forebay::Identity decode(const Identity& from) { return {from.device(), from.inode(), decode(from.birth())}; }

void encode(const forebay::Validator& from, Validator& to) {
  encode(from.mtime, *to.mutable_mtime());
  encode(from.ctime, *to.mutable_ctime());
  to.set_size(from.size);
  to.set_inode(from.inode);
}

forebay::Validator decode(const Validator& from) {
  return {decode(from.mtime()), decode(from.ctime()), from.size(), from.inode()};
}

void encode(const forebay::Attributes& from, Attributes& to) {
  to.set_mode(from.mode);
  to.set_link_count(from.link_count);
  to.set_uid(from.uid);
  to.set_gid(from.gid);
  to.set_device_number(from.device_number);
  to.set_inode_number(from.inode_number);
  to.set_size(from.size);
  to.set_blocks(from.blocks);
  to.set_block_size(from.block_size);
  encode(from.atime, *to.mutable_atime());
  encode(from.mtime, *to.mutable_mtime());
  encode(from.ctime, *to.mutable_ctime());
  encode(from.birth, *to.mutable_birth());
}

forebay::Attributes decode(const Attributes& from) {
  forebay::Attributes to;
  to.mode = from.mode();
  to.link_count = from.link_count();
  to.uid = from.uid();
  to.gid = from.gid();
  to.device_number = from.device_number();
  to.inode_number = from.inode_number();
  to.size = from.size();
  to.blocks = from.blocks();
  to.block_size = from.block_size();
  to.atime = decode(from.atime());
  to.mtime = decode(from.mtime());
  to.ctime = decode(from.ctime());
  to.birth = decode(from.birth());
  return to;
}

void encode(const forebay::Caller& from, Caller& to) {
  to.set_uid(from.uid);
  to.set_gid(from.gid);
  to.set_pid(from.pid);
  to.set_umask(from.umask);
  to.mutable_groups()->Assign(from.groups.begin(), from.groups.end());
}

forebay::Caller decode(const Caller& from) {
  forebay::Caller to;
  to.uid = from.uid();
  to.gid = from.gid();
  to.pid = from.pid();
  to.umask = from.umask();
  to.groups.assign(from.groups().begin(), from.groups().end());
  return to;
}

void encode(const forebay::ExternalRef& from, ExternalRef& to) {
  to.set_path(from.path);
  encode(from.identity, *to.mutable_identity());
}

forebay::ExternalRef decode(const ExternalRef& from) {
  forebay::ExternalRef to;
  to.path = from.path();
  to.identity = decode(from.identity());
  return to;
}

void encode(const forebay::Layout& from, Layout& to) {
  to.set_chunk_size_bytes(from.chunk_size_bytes);
  to.mutable_targets()->Assign(from.targets.begin(), from.targets.end());
}

Result<forebay::Layout> decode(const Layout& from) {
  const bool chunks_fit = from.chunk_size_bytes() >= kLeastChunkBytes && from.chunk_size_bytes() <= kMostChunkBytes;
  const auto targets = static_cast<size_t>(from.targets_size());
  if (!chunks_fit || targets == 0 || targets > kMostStripes) {
    return fail(EPROTO, "a layout of {} targets with chunks of {} bytes", from.targets_size(), from.chunk_size_bytes());
  }
  return forebay::Layout{from.chunk_size_bytes(), {from.targets().begin(), from.targets().end()}};
}

void encode(const forebay::Error& from, Error& to) {
  to.set_code(from.code);
  to.set_context(from.context);
}

forebay::Error decode(const Error& from) { return {from.code(), from.context()}; }

}  // namespace forebay::wire
