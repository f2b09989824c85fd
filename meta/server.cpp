#include "meta/server.h"

#include "core/log.h"

namespace forebay::meta {
namespace {

// The others are fetched by their readers, as without fetch.small_files.
constexpr size_t kMostSmallFilesWaiting = 65'536;

}  // namespace

MetaServer::MetaServer(const Config& config, std::unique_ptr<Store> store, const consistency::ExternalTree& external,
                       StorageService& storage, std::function<TargetList()> targets, Ownership ownership)
    : config_(config),
      ownership_(std::move(ownership)),
      store_(std::move(store)),
      external_(external),
      storage_(storage),
      freshness_(config.consistency),
      inodes_(*store_, external),
      known_names_(freshness_.names_valid_for()),
      placement_(config_, std::move(targets)),
      layout_rules_(*store_),
      evictors_([this](TargetId target) { return make_evictor(target); }),
      scheduler_([this](InodeId id) -> Status {
        ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
        return flush_inode(inode);
      }),
      small_files_([this](InodeId id) { fetch_small(id); }, kMostSmallFilesWaiting),
      answers_(placement_.is_cluster()),
      seen_names_(placement_.is_cluster() ? freshness_.names_valid_for() : std::chrono::milliseconds::zero()),
      next_handle_((uint64_t{ownership_.self()} << kOwnerShift) + 1) {}

MetaServer::~MetaServer() { (void)stop(End::kKeep); }

Status MetaServer::open_tree() {
  RETURN_IF_ERROR(inodes_.open_root());
  return layout_rules_.load();
}

Status MetaServer::forget_unused_directories() { return store_->prune_directories(); }

Status MetaServer::start() {
  RETURN_IF_ERROR(recover());
  started_ = true;
  scheduler_.start(config_.flush.streams);
  if (config_.fetch.small_files_bytes > 0) small_files_.start(config_.fetch.streams);
  evictors_.start();
  housekeeper_ = std::thread([this] { housekeep(); });
  if (config_.consistency.validate != Validate::kNever) {
    watching_ = true;
    watcher_ = std::thread([this] { watch_open_files(); });
  }
  return {};
}

Status MetaServer::stop(End end) {
  Status result;
  {
    const std::lock_guard lock(open_files_mutex_);
    watching_ = false;
  }
  open_files_wake_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  small_files_.stop();
  // Targets of a cluster live on, and tell the next of us; nobody serves their questions here any more.
  if (!placement_.is_cluster()) storage_.look_at_leases();
  if (end == End::kFlush) {
    const std::vector<InodeId> ids = scheduler_.files();
    scheduler_.expedite(ids);
    evictor::FlushScheduler::Outcome outcome;
    do {
      outcome = scheduler_.wait(ids, std::chrono::hours(1));
    } while (!outcome.remaining.empty());
    if (!outcome.failed.empty()) {
      const Error& error = outcome.failed.front().second;
      result = fail(error.code, "{} files could not be flushed and stay in the cache; the first: {}",
                    outcome.failed.size(), error.message());
    }
  }
  // What stays here must outlive a power cut at any later time.
  if (end != End::kDiscard) {
    for (const InodeId id : scheduler_.files()) {
      if (Status synced = storage_.sync(id); !synced && result) result = synced;
    }
  } else {
    for (const InodeId id : scheduler_.files()) {
      if (const InodePtr inode = inodes_.find(id); inode != nullptr) discard_copy(inode);
    }
  }
  {
    const std::lock_guard lock(house_mutex_);
    stopping_ = true;
  }
  house_wake_.notify_all();
  if (housekeeper_.joinable()) housekeeper_.join();
  scheduler_.stop();
  evictors_.stop();
  answers_.stop();
  if (Status committed = store_->sync(); !committed && result) result = committed;
  return result;
}

CacheStatus MetaServer::status() {
  storage_.look_at_leases();
  const SpaceReport space = storage_.space();
  CacheStatus status;
  status.capacity_bytes = space.capacity_bytes;
  status.used_bytes = space.used_bytes;
  status.dirty_bytes = space.dirty_bytes;
  status.hits = space.hits;
  status.misses = space.misses;
  status.fetched_bytes = space.fetched_bytes;
  status.flushed_bytes = space.flushed_bytes;
  status.dirty_files = scheduler_.count();
  status.cached_files = cached_files_;
  status.evicted_bytes = evictors_.evicted_bytes();
  status.flush_failures = flush_failures_;
  status.conflicts = conflict_count_;
  status.inodes_in_memory = inodes_.size();
  status.silent_servers = space.silent_targets + placement_.absent_targets();
  return status;
}

// Commits what no request waits for, a moment after it was changed; and has targets emptied that are drained.
void MetaServer::housekeep() {
  constexpr std::chrono::seconds kPause{1};
  std::unique_lock lock(house_mutex_);
  while (!stopping_) {
    house_wake_.wait_for(lock, kPause, [this] { return stopping_; });
    lock.unlock();
    if (Status committed = store_->commit(); !committed) log(Module::kMeta).error("{}", committed.error().message());
    for (const TargetId target : placement_.draining()) evictors_.of(target).kick();
    answers_.keep_house();
    lock.lock();
  }
}

}  // namespace forebay::meta
