#include "side.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

#include "credentials.h"
#include "random.h"

namespace forebay::walk {
namespace {

void stat_afterwards(Side& side, const Op& op, Outcome& outcome) {
  struct stat now;
  int result = 0;
  if (op.slot >= 0 && op.place2.path.empty())
    result = ::fstat(side.fd(op.slot), &now);
  else if (!op.place2.path.empty())
    result = ::fstatat(side.base(op.place2), op.place2.path.c_str(), &now, AT_SYMLINK_NOFOLLOW);
  else
    result = ::fstatat(side.base(op.place), op.place.path.c_str(), &now, AT_SYMLINK_NOFOLLOW);
  if (result == 0) {
    outcome.has_stat = true;
    outcome.stat = to_file_stat(now);
  } else {
    outcome.stat_error = errno;
  }
}

}  // namespace

AlignedBuffer::AlignedBuffer(size_t length) : data_(static_cast<char*>(std::aligned_alloc(4096, length))) {
  if (data_ == nullptr) throw std::bad_alloc();
  ::memset(data_, 0, length);
}

AlignedBuffer::~AlignedBuffer() { std::free(data_); }

const char* Scratch::content(uint64_t key, int64_t length) {
  if (key != key_) filled_ = 0;
  for (; filled_ < length; filled_ += 8) {
    const uint64_t word = mix(key + static_cast<uint64_t>(filled_)) | 0x0101010101010101u;
    ::memcpy(content_.data() + filled_, &word, sizeof word);
  }
  key_ = key;
  return content_.data();
}

Side::Side(std::string label, const std::string& root, int thread, Scratch& scratch)
    : label_(std::move(label)),
      root_(open_directory(AT_FDCWD, root)),
      thread_root_(open_directory(root_.get(), thread_name(thread))),
      shared_root_(open_directory(root_.get(), "shared")),
      scratch_(scratch) {}

int Side::base(int number) const {
  if (number == kThreadRoot) return thread_root_.get();
  if (number == kSharedRoot) return shared_root_.get();
  return fd(number);
}

std::string Side::absolute(const Place& place) const {
  return fmt::format("/proc/self/fd/{}/{}", base(place), place.path);
}

bool Side::alive() const {
  struct statfs unused;
  return ::fstatfs(root_.get(), &unused) == 0;
}

bool Side::has_mappings() const {
  return std::any_of(mappings_.begin(), mappings_.end(),
                     [](const Mapping& mapping) { return mapping.data() != nullptr; });
}

void Side::close_all() {
  for (auto& handle : handles_) handle.reset();
  for (auto& mapping : mappings_) mapping = {};
  for (auto& file : mapped_files_) file.reset();
  shared_ = {};
}

std::string thread_name(int thread) { return fmt::format("t{:02}", thread); }

UniqueFd open_directory(int base, const std::string& path) {
  UniqueFd fd(::openat(base, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::generic_category(), path);
  return fd;
}

void execute(Side& side, const Op& op, Outcome& outcome) {
  outcome.clear();
  ActingAs acting(op.user);
  op.type->execute(side, op, outcome);
  if (op.check_position) outcome.position = ::lseek(side.fd(op.slot), 0, SEEK_CUR);
  if (op.verify) stat_afterwards(side, op, outcome);
}

}  // namespace forebay::walk
