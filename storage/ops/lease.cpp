// lease, end_lease, settle: somebody reads and writes a chunk file without us (FUSE passthrough).
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "core/io.h"
#include "core/log.h"
#include "storage/server.h"

namespace forebay::storage {

Result<UniqueFd> StorageServer::lease(const LeaseRequest& request) {
  if (request.new_file) {
    // Whatever it is: the metadata server can be asked to make the file known.
    const Result<ChunkState> opened = caching_file(*request.new_file);
    if (!opened) return fail(EBADFD, "{}", opened.error().message());
  }
  ASSIGN_OR_RETURN(const FilePtr file, get(request.id));
  if (!no_leases_.empty()) return fail(ENOTSUP, "{}", no_leases_);
  if (!file->stripe().alone()) return fail(ENOTSUP, "inode {}: lies on several targets", request.id);
  see(*file);
  if (request.writes) RETURN_IF_ERROR(prepare_writes(*file, request));
  UniqueFd fd;
  {
    const std::unique_lock lock(file->mutex);
    if (request.writes) {
      --file->writers_pending;
      file->dirty_known = true;
    }
    const Status begun = begin_lease(*file, request);
    // Nobody writes under it: the next write must be announced.
    if (!begun && file->clean()) file->dirty_known = false;
    RETURN_IF_ERROR(begun);
    fd.reset(::fcntl(file->fd(), F_DUPFD_CLOEXEC, 0));
  }
  if (request.writes) lease_watch_.add(file);
  {
    Shard& shard = shard_of(request.id);
    const std::lock_guard lock(shard.mutex);
    Shard::Lent& lent = shard.lent[request.id];
    lent.file = file;
    ++lent.leases;
  }
  ++hits_;
  if (fd) return fd;
  const Failure failure = fail_errno("chunk file of inode {}", request.id);
  end_lease(request.id);
  return failure;
}

// The caller holds the file's mutex exclusively.
Status StorageServer::begin_lease(ChunkFile& file, const LeaseRequest& request) {
  if (request.writes && file.complete()) RETURN_IF_ERROR(file.create(file.identity));
  if (!file.exists() && file.complete() && file.size() == 0) return fail(ENODATA, "inode {}: is empty", file.id());
  // Beside others there is no choice: but who says so may be the only one.
  if (!file.exists() || (!file.complete() && !(request.beside && file.lent()))) {
    return fail(EAGAIN, "inode {}: is not all here", file.id());
  }
  if (request.writes) {
    const Status summed = sum_clean_blocks(file);
    if (!summed && !request.beside) return summed;
  }
  return file.begin_lease(request.writes, request.direct);
}

// What can be refused is refused before the file is marked dirty. Afterwards the caller counts as a writer on its way.
Status StorageServer::prepare_writes(ChunkFile& file, const LeaseRequest& request) {
  const uint64_t held = space_.dirty() + space_.reserved();
  const uint64_t capacity = space_.capacity();
  const uint64_t room = capacity - std::min(capacity, held);
  // Each of those who write already may take some of it.
  constexpr uint64_t kMostEach = uint64_t{4} << 30;
  const uint64_t others = lease_watch_.count() * std::min(options_.lease_headroom_bytes, kMostEach);
  const bool tight = room < options_.lease_headroom_bytes + others || space_.dirty() > options_.most_dirty_bytes;
  if (tight && !request.at_any_room && !request.beside)
    return fail(EAGAIN, "too little room for writes that nobody paces");
  bool announce = false;
  {
    const std::unique_lock lock(file.mutex);
    if (!file.complete() && !request.beside) return fail(EAGAIN, "inode {}: is not all here", file.id());
    ++file.writers_pending;
    announce = !file.dirty_known && !file.lease_announced;
  }
  const Status marked = announce ? meta_->mark_dirty(file.id(), true) : Status{};
  if (marked) return {};
  const std::unique_lock lock(file.mutex);
  --file.writers_pending;
  return marked;
}

Status StorageServer::sum_clean_blocks(ChunkFile& file) {
  // Done for an earlier lease; or what is here is not what the outside has, and will go there whole.
  if (file.may_be_written() || file.suspect()) return {};
  constexpr uint64_t kBlock = BlockSums::kBlockBytes;
  constexpr uint64_t kMostBytes = 256 << 20;  // about 50 ms
  std::vector<uint64_t> unknown;
  for (uint64_t at = 0; at < file.size();) {
    const off_t data = ::lseek(file.fd(), static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) break;  // all the rest is a hole
    at = static_cast<uint64_t>(data) / kBlock * kBlock;
    // What is dirty goes out whatever happens to it.
    if (!file.sums.knows(at / kBlock) && !file.is_newer({at, std::min(at + kBlock, file.size())})) {
      unknown.push_back(at);
      if (unknown.size() * kBlock > kMostBytes) return fail(EAGAIN, "too much to compare later");
    }
    at += kBlock;
  }
  const std::span<char> buffer = thread_buffer(kBlock);
  for (const uint64_t at : unknown) {
    const uint64_t bytes = std::min(kBlock, file.size() - at);
    ASSIGN_OR_RETURN(const size_t got, pread_full(file.fd(), buffer.data(), bytes, at));
    file.sums.set(at, buffer.first(got), file.size());
  }
  return {};
}

void StorageServer::end_lease(InodeId id) {
  FilePtr file;
  Shard& shard = shard_of(id);
  {
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.lent.find(id);
    if (found == shard.lent.end()) return;
    file = found->second.file;
    if (--found->second.leases == 0) {
      shard.lent.erase(found);
      keep_recent(shard, file);
    }
  }
  {
    const std::unique_lock lock(file->mutex);
    file->end_lease();
  }
  see(*file);
}

void StorageServer::see(ChunkFile& file) {
  if (!file.may_be_written()) return;
  const std::lock_guard reporting(file.report_mutex);
  bool report = false;
  {
    const std::unique_lock lock(file.mutex);
    if (Status noticed = file.notice(); !noticed) log(Module::kStorage).error("{}", noticed.error().message());
    report = file.take_report();
  }
  if (report) meta_->data_changed(file.id());
}

Result<SettleReply> StorageServer::settle(InodeId id) {
  ASSIGN_OR_RETURN(const FilePtr file, get(id));
  const std::lock_guard reporting(file->report_mutex);
  bool report = false;
  SettleReply reply;
  {
    const std::unique_lock lock(file->mutex);
    RETURN_IF_ERROR(file->settle());
    report = file->take_report();
    if (file->clean()) {
      file->dirty_known = file->lease_announced = false;
      reply.settled = Settled::kClean;
      if (!file->exists()) new_numbers_.passed(id);
    } else if (file->may_be_written() && !file->dirty()) {
      reply.settled = Settled::kUnchanged;
    }
    reply.state = file->state();
  }
  lease_watch_.settled(*file);
  if (report) meta_->data_changed(id);
  return reply;
}

void StorageServer::look_at_leases() { lease_watch_.look_at_all(); }

bool StorageServer::watch_lease(ChunkFile& file) {
  // Its metadata server has settled it, and knows.
  if (!file.may_be_written()) return false;
  see(file);
  if (space_.used() > options_.high_watermark_bytes) (void)meta_->make_room(options_.target, 0);
  bool settled = false;
  {
    const std::unique_lock lock(file.mutex);
    if (Status done = file.settle(); !done) log(Module::kStorage).error("{}", done.error().message());
    settled = !file.may_be_written();
  }
  if (settled) meta_->lease_settled(file.id());
  return !settled;
}

}  // namespace forebay::storage
