#include "storage/extent_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "core/io.h"

namespace forebay::storage {

Status ExtentLog::open(const std::string& path, const std::function<void(const Record&)>& replay) {
  path_ = path;
  fd_.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd_) return errno == ENOENT ? Status{} : fail_errno("extent log {}", path);
  struct stat found;
  if (::fstat(fd_.get(), &found) != 0) return fail_errno("extent log {}", path);

  std::vector<Record> records(static_cast<size_t>(found.st_size) / sizeof(Record));
  ASSIGN_OR_RETURN(const size_t bytes,
                   pread_full(fd_.get(), reinterpret_cast<char*>(records.data()), records.size() * sizeof(Record), 0));
  records.resize(bytes / sizeof(Record));
  end_ = 0;
  for (const Record& record : records) {
    if (!record.is_intact()) break;
    if (!record.is_known()) return fail(EIO, "extent log {}: written by a newer version", path);
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

bool ExtentLog::overgrown(size_t needed) const {
  constexpr size_t kMost = 65'536;  // records: 3 MiB
  return end_ / sizeof(Record) > std::max(kMost, 8 * needed);
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
