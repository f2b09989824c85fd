#include "tests/fuzz/confine.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

namespace forebay::fuzz {
namespace {

constexpr char kTemporary[] = "/dev/shm";
constexpr char kDone[] = "FOREBAY_FUZZ_CONFINED";  // libFuzzer starts itself again to merge inputs

void must(int result, const char* what) {
  if (result == 0) return;
  std::perror(what);
  std::fputs("fuzz: root must be able to make mounts; run it as another user\n", stderr);
  std::_Exit(EXIT_FAILURE);
}

void set_read_only(const std::string& path, unsigned flags, bool read_only) {
  mount_attr attributes = {};
  (read_only ? attributes.attr_set : attributes.attr_clr) = MOUNT_ATTR_RDONLY;
  must(::mount_setattr(AT_FDCWD, path.c_str(), flags, &attributes, sizeof(attributes)), path.c_str());
}

}  // namespace

void confine() {
  if (::geteuid() != 0 || std::getenv(kDone) != nullptr) return;
  const std::string here = std::filesystem::current_path();
  must(::unshare(CLONE_NEWNS), "unshare");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "mount /");
  must(::mount(here.c_str(), here.c_str(), nullptr, MS_BIND, nullptr), here.c_str());
  must(::mount("fuzz", kTemporary, "tmpfs", MS_NODEV | MS_NOSUID, "size=1g"), kTemporary);
  set_read_only("/", AT_RECURSIVE, true);
  set_read_only(here, 0, false);
  set_read_only(kTemporary, 0, false);
  must(::chdir(here.c_str()), here.c_str());
  ::setenv("TMPDIR", kTemporary, 1);
  ::setenv(kDone, "1", 1);
}

// Without pipes: libFuzzer has some to the program that knows the names of functions, and we have none.
std::vector<std::string> open_descriptors() {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string opened = read_symlink(entry.path(), gone);
    if (!opened.starts_with("pipe:")) all.push_back(opened);
  }
  return all;
}

void require_descriptors(const std::vector<std::string>& usual) {
  constexpr std::chrono::milliseconds kMoment{10}, kLongest{2000};
  const auto deadline = std::chrono::steady_clock::now() + kLongest;
  while (open_descriptors().size() > usual.size()) {
    if (std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(kMoment);
      continue;
    }
    for (const std::string& opened : open_descriptors()) std::fprintf(stderr, "fuzz: open: %s\n", opened.c_str());
    finding("descriptors are left open");
  }
}

void finding(const char* what) {
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

}  // namespace forebay::fuzz
