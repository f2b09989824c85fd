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
  return {flushing_.extents(), base_, size_, 0};
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
  RETURN_IF_ERROR(log(records));
  if (new_base > base_) present_.add(base_, new_base);
  base_ = new_base;
  version_ = version;
  expectation_ = Expectation::kNothing;
  flushing_.clear();
  flush_running_ = false;
  account();
  return {};
}

void ChunkFile::abort_flush() {
  dirty_.add(flushing_);
  flushing_.clear();
  changed_ = true;
  flush_running_ = false;
  account();
}

}  // namespace forebay::storage
