#include "storage/server_options.h"

#include <sys/statvfs.h>

#include <algorithm>

namespace forebay::storage {
namespace {

Result<uint64_t> capacity_of(const Config& config, const std::string& directory) {
  struct statvfs disk = {};
  if (::statvfs(directory.c_str(), &disk) != 0) return fail_errno("cache directory {}", directory);
  return config.cache.capacity.of(static_cast<uint64_t>(disk.f_blocks) * disk.f_frsize);
}

// Of a file that is being fetched. A reader of the outside itself would not see all of it at one moment either.
std::chrono::milliseconds recheck_of(const Config::Consistency& consistency) {
  constexpr std::chrono::milliseconds kMost{100};
  return consistency.validate == Validate::kAlways ? std::chrono::milliseconds(0)
                                                   : std::min(kMost, consistency.attr_ttl);
}

}  // namespace

Result<StorageServer::Options> server_options(const Config& config, const std::string& directory) {
  StorageServer::Options options;
  ASSIGN_OR_RETURN(options.capacity_bytes, capacity_of(config, directory));
  options.high_watermark_bytes = config.evict.high.of(options.capacity_bytes);
  options.fetch = config.fetch;
  options.chunk_size_bytes = config.cache.chunk_size_bytes;
  options.recheck = recheck_of(config.consistency);
  options.flush_bytes_per_second = config.flush.bytes_per_second;
  options.most_dirty_bytes = config.flush.max_dirty.of(options.capacity_bytes);
  options.lease_headroom_bytes = passthrough_headroom_of(config, options.capacity_bytes);
  return options;
}

}  // namespace forebay::storage
