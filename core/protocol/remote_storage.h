// RemoteStorage: one target of a storage server that is elsewhere. Each method is a request over a channel, and has the
// errors of the channel besides those of the service: ETIMEDOUT, ECANCELED, EACCES, EHOSTUNREACH, EPROTO; and ENXIO
// when the server does not have the target.
#pragma once

#include <memory>

#include "core/protocol/storage_service.h"
#include "core/protocol/wire/storage.pb.h"
#include "core/transport/channel.h"

namespace forebay {

class RemoteStorage final : public StorageService {
 public:
  // `channel`: to kStorageServiceNumber; outlives this.
  RemoteStorage(transport::Channel& channel, TargetId target) : channel_(channel), stub_(&channel), target_(target) {}

  // More than kMostPending goes in several requests, and not at once.
  static constexpr size_t kMostPending = transport::kMostBulkBytes;
  PendingRead begin_read(InodeId id, uint64_t offset, std::span<char> buffer) override;
  PendingWrite begin_write(InodeId id, uint64_t offset, std::span<const char> data) override;

  Result<ChunkState> caching_file(const CachingFileRequest& request) override;
  void close_file(InodeId id) override;
  void close_files(std::span<const InodeId> ids) override;
  Result<ChunkState> stat_file(InodeId id) override;
  Result<size_t> read(InodeId id, uint64_t offset, std::span<char> buffer) override;
  // It is not on this host, or not in this process: read() has it.
  bool read_in_place(InodeId, uint64_t, size_t, const TakeInPlace&) override { return false; }
  // For page caches, which are shared with a server in the same process alone.
  bool await_reads(InodeId, std::chrono::steady_clock::time_point, std::chrono::milliseconds) override { return true; }
  // More than kMostPending goes in several requests: what others append may come in between.
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
  // ENOTSUP where descriptors can't come with a reply.
  Result<UniqueFd> lease(const LeaseRequest& request) override;
  void end_lease(InodeId id) override;
  void end_leases(std::span<const InodeId> ids) override;
  Result<SettleReply> settle(InodeId id) override;
  std::vector<Result<SettleReply>> settle_many(std::span<const InodeId> ids) override;
  void look_at_leases() override;
  SpaceReport space() override;
  SpaceReport space_of(TargetId target) override;

 private:
  template <typename Request>
  Request request_of(InodeId id) const;
  wire::FileRequest file(InodeId id) const;
  wire::FilesRequest files(std::span<const InodeId> ids) const;
  wire::SeenRequest seen(InodeId id, const Validator& now) const;

  transport::Channel& channel_;
  wire::Storage_Stub stub_;
  const TargetId target_;
};

}  // namespace forebay
