// The states of a chunk file through a flush.
#include <unistd.h>

#include <algorithm>

#include "storage/chunk_file.h"

namespace forebay::storage {

ChunkFile::FlushPlan ChunkFile::begin_flush() {
  assert(!flush_running_);
  flush_newer_ = dirty();
  flush_running_ = true;
  flush_low_ = size_;
  flushing_ = std::move(dirty_);
  dirty_.clear();
  changed_ = false;
  flush_compares_ = suspect_;
  suspect_ = false;
  if (may_be_written_) change_reported_ = false;  // of what comes from now on
  return {flushing_.extents(), base_, size_, 0, flush_compares_, may_be_written_};
}

Status ChunkFile::commit_flush(const Validator& version) {
  assert(flush_running_);
  std::vector<Record> records;
  if (dirty_.empty()) {
    records.push_back(Record::of_range(RecordType::kClean, {0, kNoEnd}));
  } else {
    ExtentSet cleaned = flushing_;
    cleaned.remove(dirty_);
    for (const Extent& range : cleaned.extents()) records.push_back(Record::of_range(RecordType::kClean, range));
  }
  const uint64_t external = stripe_.local_below(version.size);
  // Where other parts go beyond the end of this one, a hole follows it, here and outside.
  const bool fill_up = !stripe_.alone() && !changed_ && size_ < external;
  const uint64_t new_base = stripe_.alone() || changed_ ? std::min(flush_low_, external) : external;
  records.push_back(Record::of_number(RecordType::kBase, new_base));
  records.push_back(Record::of_version(RecordType::kFlushed, version));
  if (changed_) records.push_back(Record::of_number(RecordType::kSize, size_));
  suspect_ = suspect_ || (flush_compares_ && may_be_in_flight());
  const bool leased = may_be_written_ || suspect_;
  if (lease_in_log_) {
    records.push_back(leased ? lease_record(suspect_) : Record::of_number(RecordType::kLeaseEnd, 0));
  }
  RETURN_IF_ERROR(log(records));
  lease_in_log_ = lease_in_log_ && leased;
  if (new_base > base_) present_.add(base_, new_base);
  base_ = new_base;
  if (fill_up) RETURN_IF_ERROR(extend(external));
  version_ = version;
  expectation_ = Expectation::kNothing;
  flushing_.clear();
  flush_running_ = flush_newer_ = flush_compares_ = false;
  shorten_log();
  account();
  return {};
}

// By a hole, and for nobody to notice.
Status ChunkFile::extend(uint64_t size) {
  ASSIGN_OR_RETURN(const FileTime mtime, mtime_on_disk());
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return fail_errno("chunk file {}.chunk", path_);
  size_ = size;
  return set_mtime(mtime);
}

void ChunkFile::abort_flush() {
  dirty_.add(flushing_);
  flushing_.clear();
  sums.clear();  // what the outside has now is not known
  changed_ = changed_ || flush_newer_;
  suspect_ = suspect_ || flush_compares_;
  flush_running_ = flush_newer_ = flush_compares_ = false;
  account();
}

}  // namespace forebay::storage
