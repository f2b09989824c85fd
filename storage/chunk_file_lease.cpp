// Leases of a chunk file: who holds one reads it, or writes it, without telling (FUSE passthrough: the kernel does it).
//
// What tells of a write is the mtime alone: the kernel gives each change that follows a look another time, and a store
// into a mapping sets it when the page was clean (lease_probe.h looks whether the target's file system does both). It
// does not tell where the change was: that is found by the flush, which compares blocks (block_sums.h). A mapping
// outlives the open file that it was made of, and with it the lease: as long as anybody else has the chunk file open or
// mapped, it may be written.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "core/fault/fault.h"
#include "storage/chunk_file.h"

namespace forebay::storage {

// A lease of the kernel's kind (fcntl(2)) on the file is given to its only user.
bool ChunkFile::alone() const {
  if (::fcntl(fd_.get(), F_SETLEASE, F_WRLCK) != 0) return false;
  ::fcntl(fd_.get(), F_SETLEASE, F_UNLCK);
  return true;
}

bool ChunkFile::in_use() const { return exists() && (leases_ > 0 || (ever_leased_ && !alone())); }

Record ChunkFile::lease_record(bool suspect) const {
  // No file is like this: what is suspect now must be so after a crash.
  constexpr uint64_t kNoSize = UINT64_MAX;
  return Record::of_lease(noticed_mtime_, suspect ? kNoSize : size_);
}

Status ChunkFile::begin_lease(bool writes, bool direct) {
  assert(exists() && (complete() || leases_ > 0));
  if (writes && !may_be_written_) {
    ASSIGN_OR_RETURN(noticed_mtime_, mtime_on_disk());
    RETURN_IF_ERROR(log(lease_record(suspect_ || flush_compares_)));
    may_be_written_ = lease_in_log_ = true;
    change_reported_ = false;
  }
  ever_leased_ = true;
  written_direct_ = written_direct_ || (writes && direct);
  ++leases_;
  return {};
}

void ChunkFile::end_lease() {
  assert(leases_ > 0);
  --leases_;
}

Status ChunkFile::notice() {
  if (!may_be_written_ || fault_armed(Fault::kTrustLeases)) return {};
  struct stat found;
  if (::fstat(fd_.get(), &found) != 0) return fail_errno("chunk file {}.chunk", path_);
  const FileTime mtime = FileTime::of(found.st_mtim);
  const auto size = static_cast<uint64_t>(found.st_size);
  if (mtime == noticed_mtime_ && size <= size_) return {};
  noticed_mtime_ = mtime;
  suspect_ = true;
  changed_at = std::max(changed_at, FileTime::of(found.st_ctim));
  size_ = std::max(size_, size);
  account();
  return {};
}

Status ChunkFile::settle() {
  if (!may_be_written_) return {};
  RETURN_IF_ERROR(notice());
  if (!dirty()) change_reported_ = false;
  if (in_use()) return {};
  RETURN_IF_ERROR(notice());
  may_be_written_ = written_direct_ = false;
  // What is dirty stays so in the log until it is flushed: a crash must not make the change forgotten.
  if (suspect_ || flush_compares_) return {};
  lease_in_log_ = false;
  return log(Record::of_number(RecordType::kLeaseEnd, 0));
}

// An asynchronous direct write sets the mtime when it is submitted, and no lock is held until its bytes are there: they
// may come after a flush that has seen the mtime.
bool ChunkFile::may_be_in_flight() const {
  constexpr std::chrono::seconds kLongest{2};
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return written_direct_ && FileTime::of(now).seconds - changed_at.seconds <= kLongest.count();
}

bool ChunkFile::take_report() {
  // What a flush is bringing out was reported before it.
  const bool newer = flush_running_ ? changed_ || suspect_ || !dirty_.empty() : dirty();
  const bool report = !change_reported_ && newer;
  change_reported_ = change_reported_ || report;
  return report;
}

// After a crash. The mtime after a power cut may be older than the data.
void ChunkFile::recover_lease(FileTime mtime, uint64_t on_disk) {
  ever_leased_ = true;  // the log does not tell of readers
  if (!lease_in_log_) return;
  const bool same = mtime == noticed_mtime_ && on_disk == leased_size_ && !after_power_cut_;
  noticed_mtime_ = mtime;
  may_be_written_ = true;  // by those who had it open or mapped, and live on
  change_reported_ = false;
  if (same) return;
  size_ = std::max(size_, on_disk);
  suspect_ = true;
}

}  // namespace forebay::storage
