// What the log says of a chunk file: replayed at load(), appended to, and written anew when it has grown too long. It
// begins in an attribute of the chunk file and goes on in a file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/fault/fault.h"
#include "storage/chunk_file.h"

namespace forebay::storage {

Status ChunkFile::load() {
  fd_.reset(::open((path_ + ".chunk").c_str(), O_RDWR | O_CLOEXEC));
  if (!fd_ && errno != ENOENT) return fail_errno("chunk file {}.chunk", path_);
  if (!fd_) {
    // A log without chunk file: a removal that was cut short.
    ::unlink((path_ + ".map").c_str());
    return {};
  }
  std::vector<Record> records;
  const auto replay = [&](const Record& record) { records.push_back(record); };
  if (Status read = head_.read(fd_.get(), replay); !read) {
    return fail(read.error().code, "chunk file {}.chunk: {}", path_, read.error().context);
  }
  RETURN_IF_ERROR(log_.open(path_ + ".map", replay));
  size_t trusted = records.size();
  if (after_power_cut_) {
    while (trusted > 0 && records[trusted - 1].kind() != RecordType::kSynced) --trusted;
  }
  for (size_t i = 0; i < records.size(); ++i) apply(records[i], i < trusted);
  struct stat found;
  if (::fstat(fd_.get(), &found) != 0) return fail_errno("chunk file {}.chunk", path_);
  if (records.empty()) {
    if (found.st_blocks > 0) {
      return fail(EIO, "chunk file {}.chunk: has data and no log; was it copied without its extended attributes?",
                  path_);
    }
    // A creation that was cut short before anything was in it.
    log_.close();
    fd_.reset();
    ::unlink((path_ + ".map").c_str());
    ::unlink((path_ + ".chunk").c_str());
    return {};
  }
  const auto on_disk = static_cast<uint64_t>(found.st_size);
  recover_lease(FileTime::of(found.st_mtim), on_disk);
  if (on_disk != size_) {
    // Longer: a write whose record is missing, so nobody was told that it happened. Shorter: an extension without data,
    // or, after a power cut, bytes that are gone and must come from outside again.
    if (on_disk < size_) present_.remove(on_disk, kNoEnd);
    const FileTime mtime = FileTime::of(found.st_mtim);
    if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) return fail_errno("chunk file {}.chunk", path_);
    RETURN_IF_ERROR(set_mtime(mtime));
  }
  if (after_power_cut_) {
    // What was lost stays lost: without this the next record of a sync would make the old ones count again.
    if (::fdatasync(fd_.get()) != 0) return fail_errno("chunk file {}.chunk", path_);
    RETURN_IF_ERROR(write_log_anew());
  }
  changed_at = FileTime::of(found.st_mtim);
  booked_used_ = used_bytes();
  booked_dirty_ = bytes_to_flush();
  return {};
}

// Replays one record. Not trusted: written after the last sync before a power cut. What such a record adds may be in
// the log and not in the data, so it does not count; what it takes away or marks dirty does.
void ChunkFile::apply(const Record& record, bool trusted) {
  const Extent range = record.range();
  switch (record.kind()) {
    case RecordType::kReset:
      present_.clear();
      dirty_.clear();
      version_ = record.version();
      size_ = base_ = external_bytes();
      expectation_ = Expectation::kNothing;
      changed_ = lease_in_log_ = false;
      return;
    case RecordType::kStripe:
      stripe_ = record.stripe();
      size_ = base_ = record.stripe_base();
      return;
    case RecordType::kPresent:
      if (trusted) present_.add(range.begin, range.end);
      return;
    case RecordType::kAbsent:
      return present_.remove(range.begin, range.end);
    case RecordType::kDirty:
      dirty_.add(range.begin, range.end);
      for (const Extent& gap : missing(range.begin, range.end)) dirty_.remove(gap.begin, gap.end);
      return;
    case RecordType::kWritten:
      if (!trusted) return;
      present_.add(range.begin, range.end);
      dirty_.add(range.begin, range.end);
      size_ = std::max(size_, range.end);
      return;
    case RecordType::kSize:
      changed_ = true;
      size_ = record.value[0];
      base_ = std::min(base_, size_);
      present_.remove(size_, kNoEnd);
      dirty_.remove(size_, kNoEnd);
      return;
    case RecordType::kClean:
      if (!trusted) {
        // The flush is on disk outside; whether what it flushed is on disk here is not known. It is fetched again.
        Extent flushed;
        for (uint64_t at = range.begin; at < range.end && dirty_.next(at, &flushed) && flushed.begin < range.end;) {
          at = std::min(flushed.end, range.end);
          present_.remove(flushed.begin, at);
        }
      }
      return dirty_.remove(range.begin, range.end);
    case RecordType::kBase:
      if (trusted && record.value[0] > base_) present_.add(base_, record.value[0]);
      base_ = record.value[0];
      size_ = std::max(size_, base_);
      return;
    case RecordType::kFlushed:
      changed_ = false;
      [[fallthrough]];
    case RecordType::kVersion:
      version_ = record.version();
      expectation_ = Expectation::kNothing;
      return;
    case RecordType::kExpect:
      expectation_ = static_cast<Expectation>(record.value[0]);
      return;
    case RecordType::kIdentity:
      identity = record.identity();
      transient_ = record.transient();
      return;
    case RecordType::kSynced:
      return;
    case RecordType::kLeased:
      lease_in_log_ = true;
      noticed_mtime_ = record.lease_mtime();
      leased_size_ = record.lease_size();
      return;
    case RecordType::kLeaseEnd:
      lease_in_log_ = false;
      return;
  }
}

// A log that has grown too long is written anew before the records are added, never after: they tell of a change that
// the state does not show yet. What it says then must be on disk, and who waits for that may wait long: so a sync,
// which waits anyway, takes the first opportunity.
Status ChunkFile::log(std::span<const Record> records) {
  if (fault_armed(Fault::kForgetPresence)) return {};
  if (!exists()) return {};
  if (!log_.is_open()) {
    if (head_.append(fd_.get(), records)) return {};
    RETURN_IF_ERROR(open_log());
  }
  if (log_.overgrown(extents())) {
    // The rewritten log says that all of it is on disk, so it must be.
    if (::fdatasync(fd_.get()) != 0) return fail_errno("chunk file {}.chunk", path_);
    RETURN_IF_ERROR(write_log_anew());
  }
  return log_.append(records);
}

Status ChunkFile::open_log() {
  directory_synced_ = false;  // what a sync puts there must be found by its name
  return log_.create(path_ + ".map");
}

Status ChunkFile::write_log_anew() {
  const std::vector<Record> records = snapshot(true);
  if (!log_.is_open()) {
    if (head_.replace(fd_.get(), records)) return {};
    RETURN_IF_ERROR(open_log());
  }
  directory_synced_ = false;
  return log_.rewrite(records);
}

// What of it is not on disk is fetched again after a power cut.
void ChunkFile::shorten_log() {
  if (dirty()) return;
  if (!log_.is_open()) {
    (void)head_.replace(fd_.get(), snapshot(false));
  } else if (log_.bloated(extents())) {
    (void)log_.rewrite(snapshot(false));
  }
}

std::vector<Record> ChunkFile::snapshot(bool synced) const {
  std::vector<Record> records;
  Validator start = version_;
  // kReset and kStripe set base and size; the true version follows where they would not.
  if (stripe_.alone()) start.size = base_;
  records.push_back(Record::of_version(RecordType::kReset, start));
  if (!stripe_.alone()) records.push_back(Record::of_stripe(stripe_, base_));
  records.push_back(Record::of_identity(identity, transient_));
  if (changed_ || flush_newer_ || size_ != base_) records.push_back(Record::of_number(RecordType::kSize, size_));
  for (const Extent& range : present_.extents()) records.push_back(Record::of_range(RecordType::kPresent, range));
  ExtentSet newer = dirty_;
  newer.add(flushing_);
  for (const Extent& range : newer.extents()) records.push_back(Record::of_range(RecordType::kDirty, range));
  if (start.size != version_.size) records.push_back(Record::of_version(RecordType::kVersion, version_));
  if (expectation_ != Expectation::kNothing) {
    records.push_back(Record::of_number(RecordType::kExpect, static_cast<uint64_t>(expectation_)));
  }
  if (lease_in_log_) records.push_back(lease_record(suspect_ || flush_compares_));
  if (synced) records.push_back(Record::of_number(RecordType::kSynced, 0));
  return records;
}

}  // namespace forebay::storage
