// StripedStorage: all targets of a cluster, as one StorageService: a request for a file goes to the targets that have
// its chunks. For metadata servers and for clients.
//
//   reads, writes       cut into pieces of one chunk each, all sent before the first answer is awaited
//   size                the largest that any part tells: the part with the last byte knows it
//   changes of size,
//   versions, syncs     each part is told
//   flush               compared, moved and committed by all parts; one of them gives the external file its size
//   before,
//                       and its mtime after the others have moved
//
// A file without a layout has no chunks anywhere: what asks for its state finds nothing, and what would change it has
// nothing to do.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/layout.h"
#include "core/protocol/storage_service.h"

namespace forebay {

class StripedStorage final : public StorageService {
 public:
  using LayoutPtr = std::shared_ptr<const Layout>;
  using ServicePtr = std::shared_ptr<StorageService>;
  struct Directory {
    std::function<Result<LayoutPtr>(InodeId)> layout_of;     // null: the file has none
    std::function<Result<ServicePtr>(TargetId)> service_of;  // ENXIO: no such target; EHOSTUNREACH
    std::function<std::vector<TargetId>()> online_targets;   // all that answer: sums are of these
    // Of a client: has the metadata server make an open file known to its targets once more. layout_of() says where
    // those are from then on.
    std::function<Status(InodeId)> reopen;
  };
  // The functions are thread safe.
  explicit StripedStorage(Directory directory) : directory_(std::move(directory)) {}

  Result<ChunkState> caching_file(const CachingFileRequest& request) override;
  void close_file(InodeId id) override;
  void close_files(std::span<const InodeId> ids) override;
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
  // ENOTSUP for a file on several targets.
  Result<UniqueFd> lease(const LeaseRequest& request) override;
  void end_lease(InodeId id) override;
  void end_leases(std::span<const InodeId> ids) override;
  Result<SettleReply> settle(InodeId id) override;
  std::vector<Result<SettleReply>> settle_many(std::span<const InodeId> ids) override;
  void look_at_leases() override;
  SpaceReport space() override;
  SpaceReport space_of(TargetId target) override;

 private:
  // The targets of one file, in the order of its layout; none for a file without one.
  struct Parts {
    Layout layout;
    std::vector<ServicePtr> services;

    bool none() const { return services.empty(); }
    bool alone() const { return services.size() == 1; }
    StorageService& first() const { return *services.front(); }
    StorageService& at(const Piece& piece) const { return *services[piece.part]; }
  };
  Result<Parts> parts_of(const Layout& layout);
  // Which of the files each service has a part of.
  std::vector<std::pair<ServicePtr, std::vector<InodeId>>> by_service(std::span<const InodeId> ids);
  Result<Parts> parts_of(InodeId id);
  // As parts_of(), for who can't do without: ENXIO when there are none.
  Result<Parts> need_parts_of(InodeId id);

  // Asks all of them at the same time. The first error counts.
  template <typename Ask>
  static auto ask_all(const Parts& parts, const Ask& ask);
  template <typename Tell>
  static Status tell_all(const Parts& parts, const Tell& tell);

  // Asks once more if a target has forgotten the file: it was started anew, or the file left the cache because the
  // metadata server knew of no handle any more. It may lie elsewhere by then, so `ask` looks where its parts are.
  template <typename Ask>
  auto ask_again(InodeId id, const Ask& ask) -> decltype(ask()) {
    auto answer = ask();
    const bool forgotten = !answer && answer.error().code == EBADFD;
    return forgotten && directory_.reopen && directory_.reopen(id) ? ask() : answer;
  }

  static Result<ChunkState> stat_parts(InodeId id, const Parts& parts);
  // --- core/stripe/striped_flush.cpp
  static Result<std::vector<FlushBeginReply>> begin_outdated(const Parts& parts, const FlushBeginRequest& request,
                                                             std::vector<FlushBeginReply> begun);
  // --- core/stripe/striped_data.cpp
  static Result<uint64_t> seek_parts(const SeekRequest& request, const Parts& parts);
  static Result<size_t> read_parts(InodeId id, const Parts& parts, uint64_t offset, std::span<char> buffer);
  static Status write_parts(InodeId id, const Parts& parts, uint64_t offset, std::span<const char> data);

  const Directory directory_;
};

// What the parts of a file are together.
ChunkState combined(const Layout& layout, const std::vector<ChunkState>& parts);

}  // namespace forebay
