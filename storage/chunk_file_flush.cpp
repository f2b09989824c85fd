// The states of a chunk file through a flush.
#include <algorithm>

#include "storage/chunk_file.h"

namespace forebay::storage {

ChunkFile::FlushPlan ChunkFile::begin_flush() {
  assert(!flush_running_);
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
  const uint64_t new_base = std::min(flush_low_, version.size);
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
  version_ = version;
  expectation_ = Expectation::kNothing;
  flushing_.clear();
  flush_running_ = flush_compares_ = false;
  shorten_log();
  account();
  return {};
}

void ChunkFile::abort_flush() {
  dirty_.add(flushing_);
  flushing_.clear();
  sums.clear();  // what the outside has now is not known
  changed_ = true;
  suspect_ = suspect_ || flush_compares_;
  flush_running_ = flush_compares_ = false;
  account();
}

}  // namespace forebay::storage
