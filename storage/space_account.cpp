#include "storage/space_account.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstring>
#include <fstream>

namespace forebay::storage {
namespace {

constexpr size_t kMappingBytes = 4096;
constexpr uint64_t kMagic = 0x3145434150534246;  // "FBSPACE1"
// How many reservations pass between two looks at the file system's free space.
constexpr int64_t kReservationsPerLook = 64;

std::string boot_id() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

}  // namespace

struct SpaceAccount::Page {
  uint64_t magic;
  std::atomic<int64_t> used;
  std::atomic<int64_t> dirty;
  std::atomic<uint64_t> clean;  // 1: ended in order
  char boot[40];                // the boot in which it was last open
};

SpaceAccount::~SpaceAccount() {
  if (page_ != nullptr) ::munmap(page_, kMappingBytes);
}

Status SpaceAccount::open(const std::string& directory, uint64_t capacity_bytes) {
  directory_ = directory;
  configured_ = capacity_bytes;
  const std::string path = directory + "/space";
  file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file_) return fail_errno("{}", path);
  // Allocated up front: a store to a hole of the mapping on a full disk would be a SIGBUS.
  if (const int code = ::posix_fallocate(file_.get(), 0, kMappingBytes); code != 0) return fail(code, "{}", path);
  void* memory = ::mmap(nullptr, kMappingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (memory == MAP_FAILED) return fail_errno("{}", path);
  page_ = static_cast<Page*>(memory);

  if (page_->magic != kMagic) {
    std::memset(memory, 0, kMappingBytes);
    page_->magic = kMagic;
  } else {
    after_power_cut_ = page_->clean.load() == 0 && boot_id() != page_->boot;
  }
  page_->clean = 0;
  (void)capacity();  // known from the first reservation on
  // After a power cut the old boot id stays until it was dealt with: a kill before that must not hide it.
  return after_power_cut_ ? Status{} : write_boot();
}

// On disk before anything depends on it: this is how the next start knows of a power cut.
Status SpaceAccount::write_boot() {
  std::snprintf(page_->boot, sizeof(page_->boot), "%s", boot_id().c_str());
  if (::msync(page_, kMappingBytes, MS_SYNC) != 0) return fail_errno("{}/space", directory_);
  return {};
}

Status SpaceAccount::power_cut_handled() {
  after_power_cut_ = false;
  return write_boot();
}

void SpaceAccount::set_used(uint64_t used_bytes, uint64_t dirty_bytes) {
  page_->used = static_cast<int64_t>(used_bytes);
  page_->dirty = static_cast<int64_t>(dirty_bytes);
}

void SpaceAccount::mark_clean() {
  page_->clean = 1;
  ::msync(page_, kMappingBytes, MS_SYNC);
}

bool SpaceAccount::reserve(uint64_t bytes) {
  const uint64_t reserved = reserved_.fetch_add(bytes) + bytes;
  if (used() + reserved <= capacity()) return true;
  reserved_.fetch_sub(bytes);
  return false;
}

void SpaceAccount::release(uint64_t bytes) {
  reserved_.fetch_sub(bytes);
  if (waiting_.load() == 0) return;
  const std::lock_guard lock(release_mutex_);
  released_.notify_all();
}

void SpaceAccount::wait_for_release(std::chrono::milliseconds limit) {
  std::unique_lock lock(release_mutex_);
  ++waiting_;
  released_.wait_for(lock, limit);
  --waiting_;
}

void SpaceAccount::add_used(int64_t bytes) { page_->used.fetch_add(bytes); }
void SpaceAccount::add_dirty(int64_t bytes) { page_->dirty.fetch_add(bytes); }

// A sum that a crash between an operation and its booking left below zero reads as zero.
uint64_t SpaceAccount::used() const { return static_cast<uint64_t>(std::max<int64_t>(0, page_->used.load())); }
uint64_t SpaceAccount::dirty() const { return static_cast<uint64_t>(std::max<int64_t>(0, page_->dirty.load())); }

uint64_t SpaceAccount::capacity() {
  if (looks_left_.fetch_sub(1) > 0) return capacity_.load();
  looks_left_ = kReservationsPerLook;
  struct statvfs disk;
  uint64_t capacity = configured_;
  if (::statvfs(directory_.c_str(), &disk) == 0) {
    // Some of the disk stays free for the database and the extent logs: they must never meet a full disk first.
    const uint64_t total = static_cast<uint64_t>(disk.f_blocks) * disk.f_frsize;
    const uint64_t free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
    const uint64_t kept_free = std::min<uint64_t>(total / 50, 1ull << 30);
    const uint64_t reachable = used() + (free > kept_free ? free - kept_free : 0);
    capacity = std::min(capacity, reachable);
  }
  capacity_ = capacity;
  return capacity;
}

}  // namespace forebay::storage
