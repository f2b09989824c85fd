#include "storage/chunk_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/fault/fault.h"
#include "core/io.h"

namespace forebay::storage {
namespace {

constexpr uint64_t kPageBytes = 4096;

// Opens for creation, making the one or two directories above when they are missing.
Result<UniqueFd> create_file(const std::string& path) {
  for (int tries = 0;; ++tries) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (fd) return fd;
    if (errno != ENOENT || tries > 0) return fail_errno("chunk file {}", path);
    const std::string directory = path.substr(0, path.rfind('/'));
    const std::string above = directory.substr(0, directory.rfind('/'));
    for (const std::string& name : {above, directory}) {
      if (::mkdir(name.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("chunk directory {}", name);
    }
  }
}

}  // namespace

ChunkFile::ChunkFile(InodeId id, std::string path, SpaceAccount& space, bool after_power_cut)
    : id_(id), path_(std::move(path)), space_(space), after_power_cut_(after_power_cut) {}

ChunkFile::~ChunkFile() = default;

uint64_t ChunkFile::newer_bytes() const {
  if (suspect_) return size_;
  uint64_t bytes = dirty_.bytes() + flushing_.bytes();
  if (flushing_.empty() || dirty_.empty()) return bytes;
  for (const Extent& range : dirty_.extents()) bytes -= flushing_.bytes_in(range.begin, range.end);
  return bytes;
}

bool ChunkFile::dirty() const {
  return changed_ || suspect_ || flush_newer_ || !dirty_.empty() || !flushing_.empty() || size_ != external_bytes() ||
         base_ < external_bytes();
}

bool ChunkFile::explains(const Validator& now) const {
  switch (expectation_) {
    case Expectation::kNothing:
      return false;
    case Expectation::kAttributes:
      return now == Validator{version_.mtime, now.ctime, version_.size, version_.inode};
    case Expectation::kTimes:  // of a clean file nothing would be left that tells a change of its data
      return dirty() && now == Validator{now.mtime, now.ctime, version_.size, version_.inode};
    case Expectation::kData:
      return true;
  }
  return false;
}

bool ChunkFile::complete() const { return present_.contains(0, base_); }

std::vector<Extent> ChunkFile::missing(uint64_t begin, uint64_t end) const {
  return present_.gaps(begin, std::min(end, base_));
}

bool ChunkFile::next_missing(uint64_t offset, Extent* extent) const {
  if (offset >= base_) return false;
  Extent present;
  uint64_t begin = offset;
  while (begin < base_ && present_.next(begin, &present) && present.begin == begin) begin = present.end;
  if (begin >= base_) return false;
  const uint64_t end = present_.next(begin, &present) ? std::min(present.begin, base_) : base_;
  *extent = {begin, end};
  return true;
}

ChunkState ChunkFile::state() const {
  ChunkState state;
  state.size = stripe_.file_end(size_);
  state.exists = exists();
  state.complete = complete();
  state.dirty = dirty();
  state.mtime0 = version_;
  state.present_bytes = exists() ? present_.bytes_in(0, base_) + (size_ - base_) : 0;
  state.dirty_bytes = bytes_to_flush();
  state.leased = may_be_written_;
  struct stat found;
  if (exists() && ::fstat(fd_.get(), &found) == 0) {
    state.blocks = static_cast<uint64_t>(found.st_blocks);
    state.mtime = FileTime::of(found.st_mtim);
    state.ctime = changed_at;
  }
  return state;
}

uint64_t ChunkFile::used_bytes() const {
  struct stat found;
  if (!exists() || ::fstat(fd_.get(), &found) != 0) return 0;
  return static_cast<uint64_t>(found.st_blocks) * 512 + log_.allocated_bytes();
}

void ChunkFile::account() {
  const uint64_t used = used_bytes();
  const uint64_t dirty = bytes_to_flush();
  space_.add_used(static_cast<int64_t>(used) - static_cast<int64_t>(booked_used_));
  space_.add_dirty(static_cast<int64_t>(dirty) - static_cast<int64_t>(booked_dirty_));
  booked_used_ = used;
  booked_dirty_ = dirty;
}

Status ChunkFile::set_stripe(const Stripe& stripe) {
  if (stripe_ == stripe) return {};
  if (exists() && !(stripe_.alone() && stripe.alone())) {
    return fail(EIO, "inode {}: part {} of {} lies here, in chunks of {} bytes; asked for is part {} of {}", id_,
                stripe_.index, stripe_.count, stripe_.chunk_bytes, stripe.index, stripe.count);
  }
  stripe_ = stripe;
  return {};
}

// Under a lease the old bytes stay until the new ones come over them: who reads the chunk file must not see zeros.
Status ChunkFile::reset(const Validator& version) {
  stale_ = in_use();
  present_.clear();
  dirty_.clear();
  flushing_.clear();
  sums.clear();
  version_ = version;
  size_ = base_ = external_bytes();
  expectation_ = Expectation::kNothing;
  changed_ = suspect_ = false;
  complete_reported = false;
  if (!exists()) return {};
  RETURN_IF_ERROR(log(Record::of_version(RecordType::kReset, version)));
  if (!stale_) {
    may_be_written_ = ever_leased_ = lease_in_log_ = false;
    if (::ftruncate(fd_.get(), 0) != 0 || ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
      return fail_errno("chunk file {}.chunk", path_);
    }
  } else {
    ASSIGN_OR_RETURN(const uint64_t on_disk, size_on_disk());
    if (on_disk > size_ && ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
      return fail_errno("chunk file {}.chunk", path_);
    }
    if (may_be_written_) {
      ASSIGN_OR_RETURN(noticed_mtime_, mtime_on_disk());
      RETURN_IF_ERROR(log(lease_record(false)));
    }
  }
  account();
  return {};
}

Status ChunkFile::create(const Identity& external) {
  if (exists()) return {};
  assert(present_.empty() && dirty_.empty());
  ASSIGN_OR_RETURN(UniqueFd fd, create_file(path_ + ".chunk"));
  if (size_ > 0 && ::ftruncate(fd.get(), static_cast<off_t>(size_)) != 0) {
    return fail_errno("chunk file {}.chunk", path_);
  }
  identity = external;
  std::vector<Record> records = {Record::of_version(RecordType::kReset, version_),
                                 Record::of_identity(external, transient_)};
  if (!stripe_.alone()) records.insert(records.begin() + 1, Record::of_stripe(stripe_, base_));
  // The file may become dirty while its attributes are changed.
  if (expectation_ != Expectation::kNothing) {
    records.push_back(Record::of_number(RecordType::kExpect, static_cast<uint64_t>(expectation_)));
  }
  if (!head_.replace(fd.get(), records)) {
    RETURN_IF_ERROR(open_log());
    RETURN_IF_ERROR(log_.append(records));
  }
  fd_ = std::move(fd);
  directory_synced_ = false;
  return {};  // what it takes is booked with the first change
}

Status ChunkFile::add_present(Extent range, const char* data) {
  const bool keep_mtime = dirty() && !may_be_written_;  // there it would hide a write
  FileTime mtime;
  if (keep_mtime) {
    ASSIGN_OR_RETURN(mtime, mtime_on_disk());
  }
  if (data != nullptr) {
    RETURN_IF_ERROR(pwrite_full(fd_.get(), data, range.size(), range.begin));
  } else if (stale_) {
    RETURN_IF_ERROR(replace_by_hole(range));
  }
  if (keep_mtime) RETURN_IF_ERROR(set_mtime(mtime));
  RETURN_IF_ERROR(log(Record::of_range(RecordType::kPresent, range)));
  present_.add(range.begin, range.end);
  account();
  return {};
}

// Of bytes that are stale here and a hole outside.
Status ChunkFile::replace_by_hole(Extent range) {
  ASSIGN_OR_RETURN(const uint64_t on_disk, size_on_disk());
  const bool shorter = on_disk < range.end;
  if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.begin),
                  static_cast<off_t>(range.size())) != 0 ||
      (shorter && ::ftruncate(fd_.get(), static_cast<off_t>(range.end)) != 0)) {
    return fail_errno("chunk file {}.chunk", path_);
  }
  return {};
}

Status ChunkFile::before_change(Extent range) {
  range.end = std::min(range.end, size_);
  if (range.begin >= range.end || dirty_.contains(range.begin, range.end)) return {};
  RETURN_IF_ERROR(log(Record::of_range(RecordType::kDirty, range)));
  const std::vector<Extent> gaps = missing(range.begin, range.end);
  ExtentSet here;
  here.add(range.begin, range.end);
  for (const Extent& gap : gaps) here.remove(gap.begin, gap.end);
  dirty_.add(here);
  account();
  return {};
}

Status ChunkFile::after_change(Extent range) {
  const bool known =
      range.end <= size_ && dirty_.contains(range.begin, range.end) && present_.contains(range.begin, range.end);
  if (known) {
    account();  // a hole in it may have been filled
    return {};
  }
  RETURN_IF_ERROR(log(Record::of_range(RecordType::kWritten, range)));
  present_.add(range.begin, range.end);
  dirty_.add(range.begin, range.end);
  size_ = std::max(size_, range.end);
  account();
  return {};
}

Status ChunkFile::set_size(uint64_t size) {
  RETURN_IF_ERROR(log(Record::of_number(RecordType::kSize, size)));
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
    const Failure failure = fail_errno("chunk file {}.chunk", path_);
    RETURN_IF_ERROR(log(Record::of_number(RecordType::kSize, size_)));  // EFBIG: the size stays
    return failure;
  }
  changed_ = true;
  size_ = size;
  base_ = std::min(base_, size);
  flush_low_ = std::min(flush_low_, size);
  present_.remove(size, kNoEnd);
  dirty_.remove(size, kNoEnd);
  flushing_.remove(size, kNoEnd);
  sums.forget({size, kNoEnd});
  account();
  return {};
}

Result<uint64_t> ChunkFile::punch_clean(uint64_t bytes) {
  if (in_use() || suspect_ || flush_compares_) return uint64_t{0};
  ExtentSet clean;
  Extent present;
  for (uint64_t offset = 0; present_.next(offset, &present) && present.begin < base_; offset = present.end) {
    clean.add(present.begin, std::min(present.end, base_));
  }
  if (!fault_armed(Fault::kEvictDirty)) {
    clean.remove(dirty_);
    clean.remove(flushing_);
  }

  const bool keep_mtime = dirty();
  ASSIGN_OR_RETURN(const FileTime mtime, mtime_on_disk());
  uint64_t dropped = 0;
  for (Extent range : clean.extents()) {
    if (dropped >= bytes) break;
    range.begin = (range.begin + kPageBytes - 1) / kPageBytes * kPageBytes;
    if (range.end != size_) range.end = range.end / kPageBytes * kPageBytes;
    if (range.begin >= range.end) continue;
    const uint64_t wanted = std::min(bytes - dropped, range.size());
    range.end = std::min(range.end, range.begin + (wanted + kPageBytes - 1) / kPageBytes * kPageBytes);
    RETURN_IF_ERROR(log(Record::of_range(RecordType::kAbsent, range)));
    present_.remove(range.begin, range.end);
    complete_reported = false;
    if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.begin),
                    static_cast<off_t>(range.size())) != 0) {
      return fail_errno("chunk file {}.chunk", path_);
    }
    dropped += range.size();
  }
  if (keep_mtime) RETURN_IF_ERROR(set_mtime(mtime));
  account();
  return dropped;
}

Status ChunkFile::remove(const Validator& version) {
  if (exists()) {
    if (::unlink((path_ + ".chunk").c_str()) != 0 && errno != ENOENT) return fail_errno("chunk file {}.chunk", path_);
    if (log_.is_open() && ::unlink((path_ + ".map").c_str()) != 0 && errno != ENOENT) {
      return fail_errno("extent log {}.map", path_);
    }
    fd_.reset();
    log_.close();
    may_be_written_ = ever_leased_ = lease_in_log_ = false;
  }
  RETURN_IF_ERROR(reset(version));
  account();
  return {};
}

Status ChunkFile::set_version(const Validator& version) {
  RETURN_IF_ERROR(log(Record::of_version(RecordType::kVersion, version)));
  version_ = version;
  expectation_ = Expectation::kNothing;
  return {};
}

Status ChunkFile::expect(Expectation expectation) {
  // A flush under way is the stronger expectation, and its end settles both.
  if (flush_running_ && expectation != Expectation::kData) return {};
  RETURN_IF_ERROR(log(Record::of_number(RecordType::kExpect, static_cast<uint64_t>(expectation))));
  expectation_ = expectation;
  return {};
}

Result<FileTime> ChunkFile::mtime_on_disk() const {
  struct stat found;
  if (::fstat(fd_.get(), &found) != 0) return fail_errno("chunk file {}.chunk", path_);
  return FileTime::of(found.st_mtim);
}

Result<uint64_t> ChunkFile::size_on_disk() const {
  struct stat found;
  if (::fstat(fd_.get(), &found) != 0) return fail_errno("chunk file {}.chunk", path_);
  return static_cast<uint64_t>(found.st_size);
}

Status ChunkFile::set_mtime(FileTime mtime) {
  if (!exists()) return {};
  const timespec times[2] = {{0, UTIME_OMIT}, mtime.to_timespec()};
  if (::futimens(fd_.get(), times) != 0) return fail_errno("chunk file {}.chunk", path_);
  return {};
}

Status ChunkFile::touch() {
  RETURN_IF_ERROR(log(Record::of_number(RecordType::kSize, size_)));
  changed_ = true;
  const timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  if (::futimens(fd_.get(), times) != 0) return fail_errno("chunk file {}.chunk", path_);
  return {};
}

void ChunkFile::note_change() {
  struct stat found;
  if (::fstat(fd_.get(), &found) == 0) changed_at = FileTime::of(found.st_ctim);
}

Status ChunkFile::sync() {
  if (!exists()) return {};
  // fsync, not fdatasync: while the file is dirty its mtime is the application's.
  if (::fsync(fd_.get()) != 0) return fail_errno("chunk file {}.chunk", path_);
  const bool shorten = log_.is_open() && log_.bloated(extents());
  RETURN_IF_ERROR(shorten ? write_log_anew() : log(Record::of_number(RecordType::kSynced, 0)));
  if (log_.is_open()) {
    RETURN_IF_ERROR(log_.sync());
  } else if (::fsync(fd_.get()) != 0) {
    return fail_errno("chunk file {}.chunk", path_);
  }
  if (directory_synced_) return {};
  const std::string directory = path_.substr(0, path_.rfind('/'));
  const std::string above = directory.substr(0, directory.rfind('/'));
  for (const std::string& name : {directory, above, above.substr(0, above.rfind('/'))}) {
    UniqueFd fd(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return fail_errno("chunk directory {}", name);
  }
  directory_synced_ = true;
  return {};
}

}  // namespace forebay::storage
