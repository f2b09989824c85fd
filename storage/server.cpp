#include "storage/server.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "core/log.h"
#include "core/thread_buffer.h"
#include "storage/lease_probe.h"

namespace forebay::storage {

StorageServer::StorageServer(Options options, const consistency::ExternalTree& external)
    : options_(std::move(options)),
      external_(external),
      fetcher_(*this),
      flush_limit_(options_.flush_bytes_per_second),
      lease_watch_([this](ChunkFile& file) { return watch_lease(file); }) {}

StorageServer::~StorageServer() { stop(); }

Status StorageServer::open() {
  const std::string& directory = options_.target_directory;
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("target {}", directory);
  // Whatever it is (a disk that is full, say): the cache does without.
  if (const Status probed = probe_leases(directory); !probed) {
    const Error& error = probed.error();
    no_leases_ = error.code == ENOTSUP ? error.context : error.message();
  }
  RETURN_IF_ERROR(space_.open(directory, options_.capacity_bytes));
  if (space_.after_power_cut()) {
    log(Module::kStorage)
        .warn(
            "target {} was not closed before the machine went down; what was not synced is fetched "
            "again",
            directory);
    recount();
    RETURN_IF_ERROR(space_.power_cut_handled());
  }
  return {};
}

void StorageServer::start(MetaCallbacks& meta) {
  meta_ = &meta;
  fetcher_.start(options_.fetch.streams);
  lease_watch_.start();
}

void StorageServer::stop() {
  fetcher_.stop();
  lease_watch_.stop();
}

void StorageServer::end_in_order() {
  UniqueFd fd(::open(options_.target_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && ::syncfs(fd.get()) == 0) space_.mark_clean();
}

std::string StorageServer::path_of(InodeId id) const {
  // Neighbours by number share a directory: a new one is made for every 256th file only.
  return fmt::format("{}/{:02x}/{:02x}/{:x}", options_.target_directory, id >> 16 & 0xff, id >> 8 & 0xff, id);
}

Result<StorageServer::FilePtr> StorageServer::get(InodeId id, bool is_new) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  std::weak_ptr<ChunkFile>& known = shard.files[id];
  if (FilePtr file = known.lock()) return file;
  auto file = std::make_shared<ChunkFile>(id, path_of(id), space_, space_.after_power_cut());
  (void)file->set_stripe({.chunk_bytes = options_.chunk_size_bytes});
  if (Status loaded = is_new ? Status{} : file->load(); !loaded) {
    shard.files.erase(id);
    return Failure(std::move(loaded).error());
  }
  known = file;
  if (file->may_be_written()) lease_watch_.add(file);  // a mapping that has outlived our last run
  keep_recent(shard, file);
  return file;
}

void StorageServer::keep_recent(Shard& shard, const FilePtr& file) {
  shard.recent.push_back(file);
  if (shard.recent.size() <= kRecentPerShard) return;
  const InodeId oldest = shard.recent.front()->id();
  shard.recent.pop_front();
  // What is left of it would keep the memory of a whole ChunkFile.
  if (auto it = shard.files.find(oldest); it != shard.files.end() && it->second.expired()) shard.files.erase(it);
}

// Counts what the target holds. Only after a power cut, where the sums may not fit the files.
void StorageServer::recount() {
  uint64_t used = 0, dirty = 0;
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(options_.target_directory, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    struct stat found;
    const bool counts = it->path().extension() == ".chunk" || it->path().extension() == ".map";
    if (counts && ::lstat(it->path().c_str(), &found) == 0) used += static_cast<uint64_t>(found.st_blocks) * 512;
    if (it->path().extension() != ".chunk") continue;
    ChunkFile file(0, it->path().parent_path() / it->path().stem(), space_, true);
    if (file.load() && !file.transient()) dirty += file.dirty_extents().bytes();
  }
  space_.set_used(used, dirty);
}

Result<Reservation> StorageServer::reserve(InodeId id, uint64_t bytes) {
  // Evicting and waiting go on as long as the outside takes data slowly, but not for ever.
  constexpr std::chrono::minutes kLongestWait{10};
  constexpr std::chrono::milliseconds kMoment{20};
  const auto deadline = std::chrono::steady_clock::now() + kLongestWait;
  Status made;
  for (bool first = true; first || std::chrono::steady_clock::now() < deadline; first = false) {
    if (!space_.reserve(bytes)) {
      made = meta_->make_room(options_.target, bytes);
      if (!made) break;
      if (!space_.reserve(bytes)) {  // others took it, or hold what they reserved
        // At the end nobody makes room any more: whoever fetches ahead must not wait for it.
        if (fetcher_.stopped()) return fail(ECANCELED, "inode {}: no room, at the end of the mount", id);
        space_.wait_for_release(kMoment);
        continue;
      }
    }
    if (space_.used() > options_.high_watermark_bytes && meta_ != nullptr) (void)meta_->make_room(options_.target, 0);
    return Reservation(space_, bytes);
  }
  if (made) made = fail(ENOSPC, "the cache is full, and stayed so");
  log(Module::kStorage).warn("no room for {} bytes of inode {}: {}", bytes, id, made.error().message());
  return Failure(std::move(made).error());
}

SpaceReport StorageServer::space() {
  SpaceReport report;
  report.capacity_bytes = space_.capacity();
  report.used_bytes = space_.used();
  report.reserved_bytes = space_.reserved();
  report.dirty_bytes = space_.dirty();
  report.hits = hits_;
  report.misses = misses_;
  report.fetched_bytes = fetched_bytes_;
  report.flushed_bytes = flushed_bytes_;
  return report;
}

SpaceReport StorageServer::space_of(TargetId target) { return target == options_.target ? space() : SpaceReport{}; }

std::span<char> thread_buffer(size_t bytes) {
  struct Storage;
  return forebay::thread_buffer<Storage>(bytes);
}

}  // namespace forebay::storage
