// run_mount: starts the roles from the outside in, serves, and ends them in the opposite order.
#include <sys/stat.h>

#include <filesystem>

#include "cachefs/cache_lock.h"
#include "cachefs/fuse_session.h"
#include "cachefs/mount.h"
#include "consistency/external_tree.h"
#include "core/descriptor_limit.h"
#include "core/log.h"
#include "meta/link_check.h"
#include "meta/server.h"
#include "mgmt/server.h"
#include "storage/server.h"
#include "storage/server_options.h"

namespace forebay::cachefs {
namespace {

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

ServerInfo describe_target(const storage::StorageServer::Options& options) {
  ServerInfo server;
  TargetInfo& target = server.targets.emplace_back();
  target.path = options.target_directory;
  target.capacity_bytes = options.capacity_bytes;
  return server;
}

}  // namespace

Status run_mount(const MountOptions& options, const std::function<void()>& ready) {
  if (options.in_cluster()) return run_cluster_mount(options, ready);
  raise_descriptor_limit();
  ::umask(077);  // names and data in the cache are nobody else's; what is made outside gets the caller's mask
  const std::string& cache = options.caches.front();
  ASSIGN_OR_RETURN(const CacheLock lock, CacheLock::take(cache, options.external));
  ASSIGN_OR_RETURN(const std::unique_ptr<consistency::ExternalTree> external,
                   consistency::ExternalTree::open(options.external, options.links, cache + "/transient"));

  const std::string database = cache + "/metadata.db";
  const std::string target = cache + "/target-0";
  RETURN_IF_ERROR(check_database(database, target));
  ASSIGN_OR_RETURN(storage::StorageServer::Options storage_options, storage::server_options(options.config, cache));
  storage_options.target_directory = target;
  ASSIGN_OR_RETURN(std::unique_ptr<meta::Store> store, meta::Store::open(database));
  RETURN_IF_ERROR(meta::check_links(*store, options.links));
  storage::StorageServer storage(storage_options, *external);
  RETURN_IF_ERROR(storage.open());
  mgmt::MgmtServer mgmt({.external = options.external, .links = options.links}, nullptr);
  RETURN_IF_ERROR(mgmt.report(describe_target(storage_options)));
  meta::MetaServer meta(options.config, std::move(store), *external, storage);
  RETURN_IF_ERROR(meta.open_tree());
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
