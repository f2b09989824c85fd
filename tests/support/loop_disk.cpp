#include "tests/support/loop_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "tests/support/files.h"
#include "tests/support/process.h"

namespace forebay::test {
namespace {

// From fs/ext4/ext4.h; no header for programs has them.
constexpr unsigned long kIocShutdown = _IOR('X', 125, __u32);
constexpr __u32 kWithoutLogFlush = 2;

void run(const std::vector<std::string>& words) {
  const ProcessResult result = run_process(words);
  if (!result.ok()) throw std::runtime_error(words.front() + ": " + describe(result));
}

}  // namespace

LoopDisk::LoopDisk(const std::string& mountpoint, uint64_t bytes) : mountpoint_(mountpoint) {
  { const OpenFile image(image_, O_CREAT | O_RDWR); }
  if (::truncate(image_.c_str(), static_cast<off_t>(bytes)) != 0) throw std::runtime_error("truncate " + image_);
  // No reserved blocks: full is full, for root as well. The lazy initialization would write on its own.
  run({"mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0", image_});
  mount();
}

LoopDisk::~LoopDisk() {
  if (frozen_) thaw();
  if (mounted_) ::umount2(mountpoint_.c_str(), MNT_DETACH);
}

void LoopDisk::mount() {
  run({"mount", "-o", "loop", image_, mountpoint_});
  mounted_ = true;
}

void LoopDisk::unmount() {
  run({"umount", mountpoint_});
  mounted_ = false;
}

void LoopDisk::cut_power() {
  const OpenFile root(mountpoint_, O_RDONLY | O_DIRECTORY);
  __u32 how = kWithoutLogFlush;
  if (::ioctl(root.fd(), kIocShutdown, &how) != 0) {
    throw std::system_error(errno, std::generic_category(), "shutdown of " + mountpoint_);
  }
}

void LoopDisk::freeze() {
  const OpenFile root(mountpoint_, O_RDONLY | O_DIRECTORY);
  if (::ioctl(root.fd(), FIFREEZE, 0) != 0) {
    throw std::system_error(errno, std::generic_category(), "freeze of " + mountpoint_);
  }
  frozen_ = true;
}

void LoopDisk::thaw() {
  const OpenFile root(mountpoint_, O_RDONLY | O_DIRECTORY);
  (void)::ioctl(root.fd(), FITHAW, 0);
  frozen_ = false;
}

void LoopDisk::fill_up(uint64_t bytes) {
  struct statvfs found {};
  if (::statvfs(mountpoint_.c_str(), &found) != 0) throw std::runtime_error("statvfs " + mountpoint_);
  const uint64_t free = found.f_bavail * found.f_frsize;
  const OpenFile file(filler(), O_CREAT | O_RDWR);
  if (free > bytes && ::posix_fallocate(file.fd(), 0, static_cast<off_t>(free - bytes)) != 0) {
    throw std::runtime_error("fallocate " + filler());
  }
}

void LoopDisk::make_room() { ::unlink(filler().c_str()); }

}  // namespace forebay::test
