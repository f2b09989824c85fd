// StorageServer: the one implementation of StorageService. Owns one target. One file per operation: storage/ops/.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <thread>
#include <unordered_map>

#include "consistency/external_tree.h"
#include "core/config.h"
#include "core/protocol/meta_service.h"
#include "core/protocol/storage_service.h"
#include "storage/bandwidth_limit.h"
#include "storage/chunk_file.h"
#include "storage/fetcher.h"
#include "storage/lease_watch.h"
#include "storage/new_numbers.h"
#include "storage/space_account.h"

namespace forebay::storage {

class StorageServer final : public StorageService {
 public:
  struct Options {
    TargetId target = 0;
    uint64_t run = 0;  // TargetInfo::run
    std::string target_directory;
    uint64_t capacity_bytes = 0;
    uint64_t high_watermark_bytes = 0;  // above it the metadata server is told to evict in the background
    Config::Fetch fetch;
    uint64_t chunk_size_bytes = 0;
    std::chrono::milliseconds recheck{0};  // how long a look at the outside counts, during a fetch
    // Room that must be left before somebody may write unchecked: free, or clean and droppable.
    uint64_t lease_headroom_bytes = 0;
    uint64_t flush_bytes_per_second = 0;     // 0: no limit
    uint64_t most_dirty_bytes = UINT64_MAX;  // with more, nobody gets a lease to write
    bool paces_writers = false;              // and each write waits for flushes; otherwise the client sees to that
    bool each_write_goes_out = false;        // flush.policy is write-through
  };

  StorageServer(Options options, const consistency::ExternalTree& external);
  ~StorageServer() override;

  // Opens the target. Errors of the cache file system.
  Status open();
  // Starts the fetchers. `meta` must outlive them: call stop() before it goes.
  void start(MetaCallbacks& meta);
  // Ends all fetches; requests that wait for one get ECANCELED.
  void stop();
  // After stop() and with everything flushed or kept: syncs the target, so that a reboot loses nothing.
  void end_in_order();

  Result<ChunkState> caching_file(const CachingFileRequest& request) override;
  void close_file(InodeId id) override;
  Result<ChunkState> stat_file(InodeId id) override;
  Result<size_t> read(InodeId id, uint64_t offset, std::span<char> buffer) override;
  bool read_in_place(InodeId id, uint64_t offset, size_t bytes, const TakeInPlace& take) override;
  bool await_reads(InodeId id, std::chrono::steady_clock::time_point began, std::chrono::milliseconds limit) override;
  Status write(InodeId id, uint64_t offset, std::span<const char> data) override;
  Result<uint64_t> reserve_end(InodeId id, uint64_t size, uint64_t bytes) override;
  Status truncate(InodeId id, uint64_t size) override;
  Status allocate(InodeId id, int mode, uint64_t offset, uint64_t length) override;
  Result<uint64_t> seek(const SeekRequest& request) override;
  Status sync(InodeId id) override;
  Status set_mtime(InodeId id, FileTime mtime) override;
  void start_fetch(InodeId id, uint64_t offset) override;
  Status fetch_all(InodeId id, std::chrono::milliseconds limit) override;
  Result<FlushBeginReply> flush_begin(const FlushBeginRequest& request) override;
  Status flush_resize(InodeId id, uint64_t base, uint64_t size) override;
  Status flush_move(InodeId id) override;
  Result<FlushCommitReply> flush_commit(const FlushCommitRequest& request) override;
  void flush_abort(InodeId id) override;
  Status copy_out(InodeId id, const ExternalRef& to, uint64_t size) override;
  Status expect_version_change(InodeId id, bool sets_mtime) override;
  Status settle_expectation(InodeId id, const Validator& now) override;
  Status set_version(InodeId id, const Validator& from, const Validator& to) override;
  Result<bool> outside_changed(InodeId id, const Validator& now) override;
  Result<uint64_t> drop(InodeId id, uint64_t bytes) override;
  Status discard(InodeId id) override;
  Status revert(InodeId id, const Validator& version) override;
  Result<UniqueFd> lease(const LeaseRequest& request) override;
  void end_lease(InodeId id) override;
  Result<SettleReply> settle(InodeId id) override;
  void look_at_leases() override;
  SpaceReport space() override;
  SpaceReport space_of(TargetId target) override;

 private:
  using FilePtr = std::shared_ptr<ChunkFile>;

  // --- storage/server.cpp
  // The file's object, loaded from the target if need be. The same one for all as long as anybody holds it.
  // `is_new`: nothing can be here of it.
  Result<FilePtr> get(InodeId id, bool is_new = false);
  std::string path_of(InodeId id) const;
  void recount();
  // Space for an operation: at once, or after eviction. ENOSPC or what stopped the eviction.
  Result<Reservation> reserve(InodeId id, uint64_t bytes);

  // --- storage/ops/open.cpp
  Result<UniqueFd> open_external(InodeId id, const ExternalRef& ref, int flags);
  Result<Stripe> stripe_in(const Layout& layout) const;
  // What the client says that has made it. EBADFD: it is known here, or was.
  Result<ChunkState> open_new(const FilePtr& file, const CachingFileRequest& request);
  // True if a chunk file was emptied for another version. The caller holds the file's mutex exclusively.
  Result<bool> take_note(ChunkFile& file, const CachingFileRequest& request);
  // `handles`: as in CachingFileRequest. Ended by close_file().
  void add_open(const FilePtr& file, uint32_t handles);
  void keep_open(const FilePtr& file);

  // --- storage/ops/read.cpp
  // Where [offset, offset + bytes) of the file lies in the chunk file. EINVAL: not in one chunk here.
  // EBADFD: it is not, because it was opened in an earlier run, or was dropped when nobody had it open.
  static Status must_be_open(const ChunkFile& file);
  // The same if nothing of it is here either.
  static Status must_be_known(ChunkFile& file);
  static Result<uint64_t> local_offset(const ChunkFile& file, uint64_t offset, size_t bytes);

  // --- storage/ops/lease.cpp
  // Takes note of what was written through leases. Before anything that depends on the file's state; cheap when none is
  // out.
  void see(ChunkFile& file);
  bool watch_lease(ChunkFile& file);
  Status prepare_writes(ChunkFile& file, const LeaseRequest& request);
  Status begin_lease(ChunkFile& file, const LeaseRequest& request);
  // Sums of the clean blocks; the caller holds the file's mutex exclusively. EAGAIN when there are too many.
  Status sum_clean_blocks(ChunkFile& file);

  // --- storage/ops/write.cpp
  Status pace(InodeId id);
  // Runs a change of the file's data or size: marks it dirty first, makes the chunk file. `change` runs with the file
  // locked exclusively; when the cache disk is full it is run again after eviction.
  Status change(const FilePtr& file, uint64_t bytes, const std::function<Status(ChunkFile&)>& change);

  // --- storage/ops/fetch.cpp
  friend class Fetcher;
  // Brings one chunk here, or a part of one; waits when somebody else is at that chunk.
  Status fetch_chunk(ChunkFile& file, uint64_t chunk);
  Status fetch_part(ChunkFile& file, const Extent& part);
  // What a reader of `wanted`, that is missing, fetches himself.
  Extent part_for_reader(ChunkFile& file, const Extent& wanted);
  // Whether what was fetched is of `version`; if not, the fetch begins again. `shorter`: the outside ended too early.
  Result<bool> check_source(ChunkFile& file, Source& source, const Validator& version, bool shorter);
  Status fetch_ranges(ChunkFile& file, const std::vector<Extent>& ranges, Source& source, const Validator& version);
  // The external file, opened if it is not; `request` says where it is, otherwise the metadata server is asked.
  Result<std::shared_ptr<Source>> source_of(ChunkFile& file, const CachingFileRequest* request = nullptr);
  Status restart(ChunkFile& file);
  // Reports a file that is complete, if its last chunk came with a look at the outside; otherwise it takes that look.
  Status finish_if_complete(ChunkFile& file);
  // Who holds a lease reads without asking: after a reset the new bytes come by themselves.
  void refill(const FilePtr& file);
  Result<size_t> read_through(ChunkFile& file, uint64_t offset, std::span<char> buffer);

  // --- storage/ops/flush.cpp
  // The caller holds the file's mutex exclusively.
  Status introduce(ChunkFile& file, const FlushBeginRequest& request, const Validator& now);
  void end_flush(ChunkFile& file);
  Result<Validator> finish_outside(ChunkFile& file, const std::optional<FileTime>& mtime);
  Status copy_all(ChunkFile& file, int external_fd);
  Status copy_present(ChunkFile& file, int external_fd);
  // `external`: the external file's descriptor.
  Status move_dirty(ChunkFile& file, const ChunkFile::FlushPlan& plan, int external);
  static Status wait_for_writers(ChunkFile& file);
  static Result<std::vector<Extent>> find_changed(ChunkFile& file, const ChunkFile::FlushPlan& plan);

  Options options_;
  const consistency::ExternalTree& external_;
  MetaCallbacks* meta_ = nullptr;
  SpaceAccount space_;
  Fetcher fetcher_;
  BandwidthLimit flush_limit_;
  LeaseWatch lease_watch_;
  std::string no_leases_;  // why; empty if there are
  NewNumbers new_numbers_;

  // Files in use, by shards so that opens of different files do not wait for each other. `recent` keeps the last few
  // closed ones, because programs open the same file again.
  struct Shard {
    std::mutex mutex;
    std::unordered_map<InodeId, std::weak_ptr<ChunkFile>> files;
    std::unordered_map<InodeId, FilePtr> open;
    std::unordered_map<InodeId, FilePtr> flushing;  // from flush_begin() to flush_commit()
    struct Lent {
      FilePtr file;
      uint64_t leases = 0;
    };
    std::unordered_map<InodeId, Lent> lent;  // the object must stay: it counts them, too
    std::deque<FilePtr> recent;
  };
  static constexpr size_t kShards = 16;
  static constexpr size_t kRecentPerShard = 32;
  std::array<Shard, kShards> shards_;
  Shard& shard_of(InodeId id) { return shards_[id % kShards]; }
  // Nobody uses the file any more; the caller holds the shard's mutex.
  static void keep_recent(Shard& shard, const FilePtr& file);

  std::atomic<uint64_t> hits_{0}, misses_{0}, fetched_bytes_{0}, flushed_bytes_{0};
};

// A buffer of at least `bytes` bytes, kept by the thread for its next request. Page aligned.
std::span<char> thread_buffer(size_t bytes);

}  // namespace forebay::storage
