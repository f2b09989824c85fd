#include "storage/extent_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/io.h"

namespace forebay::storage {
namespace {

uint32_t checksum_of(const Record& record) {
  constexpr XXH32_hash_t kSeed = 0x464f5245;  // a log of zeros must not pass
  return XXH32(&record.type, sizeof(Record) - offsetof(Record, type), kSeed);
}

Record make(RecordType type) {
  Record record;
  record.type = static_cast<uint32_t>(type);
  return record;
}

Record sealed(Record record) {
  record.checksum = checksum_of(record);
  return record;
}

uint64_t pack(int32_t high, int32_t low) {
  return static_cast<uint64_t>(static_cast<uint32_t>(high)) << 32 | static_cast<uint32_t>(low);
}

}  // namespace

Record Record::of_range(RecordType type, Extent range) {
  Record record = make(type);
  record.value[0] = range.begin;
  record.value[1] = range.end;
  return sealed(record);
}

Record Record::of_version(RecordType type, const Validator& version) {
  Record record = make(type);
  record.value[0] = static_cast<uint64_t>(version.mtime.seconds);
  record.value[1] = static_cast<uint64_t>(version.ctime.seconds);
  record.value[2] = pack(version.mtime.nanoseconds, version.ctime.nanoseconds);
  record.value[3] = version.size;
  record.value[4] = version.inode;
  return sealed(record);
}

Record Record::of_number(RecordType type, uint64_t number) {
  Record record = make(type);
  record.value[0] = number;
  return sealed(record);
}

Record Record::of_identity(const Identity& identity) {
  Record record = make(RecordType::kIdentity);
  record.value[0] = identity.device;
  record.value[1] = identity.inode;
  record.value[2] = static_cast<uint64_t>(identity.birth.seconds);
  record.value[3] = static_cast<uint64_t>(identity.birth.nanoseconds);
  return sealed(record);
}

Record Record::of_lease(FileTime mtime, uint64_t size) {
  Record record = make(RecordType::kLeased);
  record.value[0] = static_cast<uint64_t>(mtime.seconds);
  record.value[1] = static_cast<uint64_t>(mtime.nanoseconds);
  record.value[2] = size;
  return sealed(record);
}

FileTime Record::lease_mtime() const { return {static_cast<int64_t>(value[0]), static_cast<int32_t>(value[1])}; }

Validator Record::version() const {
  const auto mtime_ns = static_cast<int32_t>(value[2] >> 32);
  const auto ctime_ns = static_cast<int32_t>(value[2] & 0xffffffff);
  return {{static_cast<int64_t>(value[0]), mtime_ns}, {static_cast<int64_t>(value[1]), ctime_ns}, value[3], value[4]};
}

Identity Record::identity() const {
  return {value[0], value[1], {static_cast<int64_t>(value[2]), static_cast<int32_t>(value[3])}};
}

Status ExtentLog::open(const std::string& path, const std::function<void(const Record&)>& replay) {
  path_ = path;
  fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd_) return fail_errno("extent log {}", path);
  struct stat found;
  if (::fstat(fd_.get(), &found) != 0) return fail_errno("extent log {}", path);

  std::vector<Record> records(static_cast<size_t>(found.st_size) / sizeof(Record));
  ASSIGN_OR_RETURN(const size_t bytes,
                   pread_full(fd_.get(), reinterpret_cast<char*>(records.data()), records.size() * sizeof(Record), 0));
  records.resize(bytes / sizeof(Record));
  end_ = 0;
  for (const Record& record : records) {
    if (record.checksum != checksum_of(record)) break;
    if (record.type < static_cast<uint32_t>(RecordType::kReset) ||
        record.type > static_cast<uint32_t>(RecordType::kLeaseEnd)) {
      return fail(EIO, "extent log {}: written by a newer version", path);
    }
    replay(record);
    end_ += sizeof(Record);
  }
  return {};
}

Status ExtentLog::create(const std::string& path) {
  path_ = path;
  end_ = 0;
  fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  return fd_ ? Status{} : fail_errno("extent log {}", path);
}

Status ExtentLog::append(std::span<const Record> records) {
  if (records.empty()) return {};
  const Status written =
      pwrite_full(fd_.get(), reinterpret_cast<const char*>(records.data()), records.size_bytes(), end_);
  if (!written) {
    // Whole records of a short write would count at the next start.
    (void)::ftruncate(fd_.get(), static_cast<off_t>(end_));
    return written;
  }
  end_ += records.size_bytes();
  return {};
}

bool ExtentLog::bloated(size_t needed) const {
  constexpr size_t kWorthIt = 1024;  // records: 48 KiB
  return end_ / sizeof(Record) > std::max(kWorthIt, 8 * needed);
}

Status ExtentLog::rewrite(std::span<const Record> records) {
  const std::string beside = path_ + ".new";
  UniqueFd fd(::open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("extent log {}", beside);
  RETURN_IF_ERROR(pwrite_full(fd.get(), reinterpret_cast<const char*>(records.data()), records.size_bytes(), 0));
  // Synced before the rename: a power cut must not leave an empty log where a whole one was.
  if (::fdatasync(fd.get()) != 0) return fail_errno("extent log {}", beside);
  if (::rename(beside.c_str(), path_.c_str()) != 0) return fail_errno("extent log {}", path_);
  fd_ = std::move(fd);
  end_ = records.size_bytes();
  return {};
}

Status ExtentLog::sync() {
  if (::fdatasync(fd_.get()) != 0) return fail_errno("extent log {}", path_);
  return {};
}

uint64_t ExtentLog::allocated_bytes() const {
  struct stat found;
  if (!fd_ || ::fstat(fd_.get(), &found) != 0) return 0;
  return static_cast<uint64_t>(found.st_blocks) * 512;
}

}  // namespace forebay::storage
