// StripedStorage: all targets of a cluster, as one StorageService: a request for a file goes to the targets that have
// its chunks. For metadata servers and for clients.
//
// A file without a layout has no chunks anywhere: what asks for its state finds nothing, and what would change it has
// nothing to do.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/protocol/storage_service.h"

namespace forebay {

class StripedStorage final : public StorageService {
 public:
  using LayoutPtr = std::shared_ptr<const Layout>;
  using ServicePtr = std::shared_ptr<StorageService>;
  struct Directory {
    std::function<Result<LayoutPtr>(InodeId)> layout_of;     // null: the file has none
    std::function<Result<ServicePtr>(TargetId)> service_of;  // ENXIO: no such target; EHOSTUNREACH
    std::function<std::vector<TargetId>()> targets;          // all of them
  };
  // The functions are thread safe.
  explicit StripedStorage(Directory directory) : directory_(std::move(directory)) {}

  Result<ChunkState> caching_file(const CachingFileRequest& request) override;
  void close_file(InodeId id) override;
  Result<ChunkState> stat_file(InodeId id) override;
  Result<size_t> read(InodeId id, uint64_t offset, std::span<char> buffer) override;
  bool read_in_place(InodeId id, uint64_t offset, size_t bytes,
                     const std::function<void(int fd, size_t bytes)>& take) override;
  bool await_reads(InodeId id, std::chrono::steady_clock::time_point began, std::chrono::milliseconds limit) override;
  Status write(InodeId id, uint64_t offset, std::span<const char> data) override;
  Status truncate(InodeId id, uint64_t size) override;
  Status allocate(InodeId id, int mode, uint64_t offset, uint64_t length) override;
  Result<uint64_t> seek(const SeekRequest& request) override;
  Status sync(InodeId id) override;
  Status set_mtime(InodeId id, FileTime mtime) override;
  void start_fetch(InodeId id, uint64_t offset) override;
  Status fetch_all(InodeId id, std::chrono::milliseconds limit) override;
  Result<FlushBeginReply> flush_begin(const FlushBeginRequest& request) override;
  Status flush_move(InodeId id) override;
  Result<FlushCommitReply> flush_commit(InodeId id) override;
  void flush_abort(InodeId id) override;
  Status copy_out(InodeId id, const ExternalRef& to) override;
  Status expect_version_change(InodeId id, bool sets_mtime) override;
  Status settle_expectation(InodeId id, const Validator& now) override;
  Status set_version(InodeId id, const Validator& from, const Validator& to) override;
  Result<bool> outside_changed(InodeId id, const Validator& now) override;
  Result<uint64_t> drop(InodeId id, uint64_t bytes) override;
  Status discard(InodeId id) override;
  Status revert(InodeId id, const Validator& version) override;
  Result<UniqueFd> lease(const LeaseRequest& request) override;
  void end_lease(InodeId id) override;
  Result<Settled> settle(InodeId id) override;
  void look_at_leases() override;
  SpaceReport space() override;
  SpaceReport space_of(TargetId target) override;

 private:
  // The target that has the file. Null: it has no chunks. More than one target is not there yet.
  Result<ServicePtr> home_of(InodeId id);
  Result<ServicePtr> home_of(const Layout& layout);
  // As home_of(), for who can't do without: ENXIO when there is none.
  Result<ServicePtr> need_home_of(InodeId id);

  const Directory directory_;
};

}  // namespace forebay
