// run_mount: starts the roles from the outside in, serves, and ends them in the opposite order.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>

#include "cachefs/cache_lock.h"
#include "cachefs/fuse_session.h"
#include "cachefs/mount.h"
#include "consistency/external_tree.h"
#include "core/log.h"
#include "meta/server.h"
#include "mgmt/server.h"
#include "storage/server.h"

namespace forebay::cachefs {
namespace {

// Every open file and every directory in use costs a few descriptors.
void raise_descriptor_limit() {
  constexpr rlim_t kWanted = 1 << 20;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlimit raised = {std::max(limit.rlim_cur, kWanted), std::max(limit.rlim_max, kWanted)};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

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

// A target with files and no database would be mounted as an empty cache, and its dirty data forgotten.
Status check_database(const std::string& database, const std::string& target) {
  std::error_code error;
  if (std::filesystem::exists(database, error)) return {};
  for (const auto& entry : std::filesystem::directory_iterator(target, error)) {
    if (entry.is_directory()) {
      return fail(EIO,
                  "metadata database {}: is missing, but {} holds data; restore it, or remove the cache directory "
                  "to give up what was not flushed",
                  database, target);
    }
  }
  return {};
}

}  // namespace

Status run_mount(const MountOptions& options, const std::function<void()>& ready) {
  raise_descriptor_limit();
  ::umask(077);  // names and data in the cache are nobody else's; what is made outside gets the caller's mask
  const std::string& cache = options.caches.front();
  ASSIGN_OR_RETURN(const CacheLock lock, CacheLock::take(cache, options.external));
  ASSIGN_OR_RETURN(const std::unique_ptr<consistency::ExternalTree> external,
                   consistency::ExternalTree::open(options.external));

  const std::string database = cache + "/metadata.db";
  storage::StorageServer::Options storage_options;
  storage_options.target_directory = cache + "/target-0";
  RETURN_IF_ERROR(check_database(database, storage_options.target_directory));
  ASSIGN_OR_RETURN(storage_options.capacity_bytes, capacity_of(options.config, cache));
  storage_options.high_watermark_bytes = options.config.evict.high.of(storage_options.capacity_bytes);
  storage_options.fetch = options.config.fetch;
  storage_options.chunk_size_bytes = options.config.cache.chunk_size_bytes;
  storage_options.recheck = recheck_of(options.config.consistency);
  storage_options.flush_bytes_per_second = options.config.flush.bytes_per_second;
  storage_options.most_dirty_bytes = options.config.flush.max_dirty.of(storage_options.capacity_bytes);
  storage_options.lease_headroom_bytes = passthrough_headroom_of(options.config, storage_options.capacity_bytes);
  ASSIGN_OR_RETURN(std::unique_ptr<meta::Store> store, meta::Store::open(database));
  storage::StorageServer storage(storage_options, *external);
  RETURN_IF_ERROR(storage.open());
  mgmt::MgmtServer mgmt;
  RETURN_IF_ERROR(mgmt.register_target(
      {0, storage_options.target_directory, storage_options.capacity_bytes, 0, CapacityPool::kNormal}));
  meta::MetaServer meta(options.config, std::move(store), *external, storage);
  storage.start(meta);
  RETURN_IF_ERROR(meta.start());

  Session session{meta, storage, mgmt, options};
  Status served;
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<FuseSession> fuse, FuseSession::mount(session));
    log(Module::kCachefs).info("{} is mounted on {}, cache {}", options.external, options.mountpoint, cache);
    meta.on_replaced([&fuse](InodeId id, uint64_t generation) { fuse->revoke_pages(id, generation); });
    served = fuse->serve(options.config.fuse.threads, ready);
    meta.on_replaced({});
  }
  // The kernel has given back everything; what is dirty goes out now.
  const Status stopped = meta.stop(session.discard ? meta::MetaServer::End::kDiscard : meta::MetaServer::End::kFlush);
  storage.stop();
  if (!stopped) log(Module::kCachefs).error("{}", stopped.error().message());
  storage.end_in_order();
  log(Module::kCachefs).info("{} is unmounted from {}", options.external, options.mountpoint);
  return served ? stopped : served;
}

}  // namespace forebay::cachefs
