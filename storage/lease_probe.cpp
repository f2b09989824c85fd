#include "storage/lease_probe.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "core/file_time.h"
#include "core/unique_fd.h"

namespace forebay::storage {
namespace {

constexpr size_t kProbeBytes = 4096;

Result<FileTime> mtime_of(int fd) {
  struct stat found;
  if (::fstat(fd, &found) != 0) return fail_errno("fstat");
  return FileTime::of(found.st_mtim);
}

Status probe_writes(int fd) {
  FileTime before;
  constexpr int kTries = 4;
  for (int i = 0; i < kTries; ++i) {
    if (::pwrite(fd, "x", 1, 0) != 1) return fail_errno("write");
    ASSIGN_OR_RETURN(const FileTime now, mtime_of(fd));
    if (now == before) return fail(ENOTSUP, "changes in quick succession have one mtime");
    before = now;
  }
  return {};
}

Status probe_stores(int fd, volatile char* page) {
  constexpr int kTries = 2;
  for (int i = 0; i < kTries; ++i) {
    if (::fdatasync(fd) != 0) return fail_errno("fdatasync");
    ASSIGN_OR_RETURN(const FileTime before, mtime_of(fd));
    page[0] = static_cast<char>('a' + i);
    ASSIGN_OR_RETURN(const FileTime now, mtime_of(fd));
    if (now == before) return fail(ENOTSUP, "a store into a mapping does not change the mtime");
  }
  return {};
}

bool is_alone(int fd) {
  const bool alone = ::fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
  if (alone) ::fcntl(fd, F_SETLEASE, F_UNLCK);
  return alone;
}

}  // namespace

Status probe_leases(const std::string& directory) {
  const std::string path = directory + "/lease-probe";
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("{}", path);
  UniqueFd other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ::unlink(path.c_str());
  if (!other || ::ftruncate(fd.get(), kProbeBytes) != 0) return fail_errno("{}", path);
  RETURN_IF_ERROR(probe_writes(fd.get()));
  {
    const auto unmap = [](void* memory) { ::munmap(memory, kProbeBytes); };
    void* const memory = ::mmap(nullptr, kProbeBytes, PROT_READ | PROT_WRITE, MAP_SHARED, other.get(), 0);
    if (memory == MAP_FAILED) return fail_errno("mmap of {}", path);
    const std::unique_ptr<void, decltype(unmap)> mapping(memory, unmap);
    other.reset();
    if (is_alone(fd.get())) return fail(ENOTSUP, "nothing tells of a mapping that is left");
    RETURN_IF_ERROR(probe_stores(fd.get(), static_cast<char*>(memory)));
  }
  if (!is_alone(fd.get())) return fail(ENOTSUP, "nothing tells that no mapping is left");
  return {};
}

}  // namespace forebay::storage
