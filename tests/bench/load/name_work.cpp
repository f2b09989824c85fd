#include "name_work.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "tests/walk/fd.h"

namespace forebay::load {
namespace {

bool open_and_close(const std::string& path, int flags) {
  const walk::UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  return static_cast<bool>(file);
}

bool do_one(const std::string& phase, bool directory, const std::string& path) {
  struct stat attributes {};
  if (phase == "stat") return ::lstat(path.c_str(), &attributes) == 0;
  if (phase == "open") return open_and_close(path, O_RDONLY);
  if (phase == "create") {
    return directory ? ::mkdir(path.c_str(), 0755) == 0 : open_and_close(path, O_WRONLY | O_CREAT | O_EXCL);
  }
  return directory ? ::rmdir(path.c_str()) == 0 : ::unlink(path.c_str()) == 0;
}

}  // namespace

bool NameWork::knows(const std::string& phase) const {
  return phase == "prepare" || phase == "create" || phase == "stat" || phase == "open" || phase == "remove" ||
         phase == "clear";
}

Done NameWork::run(const std::string& phase, uint64_t shift) {
  if (phase == "prepare" || phase == "clear") {
    phase == "prepare" ? prepare() : clear();
    return {1, 0};
  }
  // In a shared directory, too, each has its own names.
  const uint64_t rank = (place_.rank + shift) % place_.ranks;
  const std::string base = fmt::format("{}/{}.", base_of(rank), rank);
  for (uint64_t i = 0; i < options_.items; ++i) {
    const std::string path = base + std::to_string(i);
    if (!do_one(phase, options_.directories, path)) fail_with_errno(path);
  }
  return {options_.items, 0};
}

std::string NameWork::base_of(uint64_t rank) const {
  return options_.shared ? place_.directory + "/all" : fmt::format("{}/of{}", place_.directory, rank);
}

void NameWork::prepare() {
  const std::string base = base_of(place_.rank);
  if (::mkdir(base.c_str(), 0755) != 0 && errno != EEXIST) fail_with_errno(base);
}

void NameWork::clear() {
  if (options_.shared && place_.rank != 0) return;
  const std::string base = base_of(place_.rank);
  if (::rmdir(base.c_str()) != 0) fail_with_errno(base);
}

}  // namespace forebay::load
