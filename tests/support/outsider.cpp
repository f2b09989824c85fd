#include "tests/support/outsider.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace forebay::test {
namespace {

constexpr uint64_t kNames = 12;
constexpr uint64_t kMostBytes = 200'000;

}  // namespace

Outsider::Outsider(const MountedCache& cache, uint64_t seed)
    : outside_(cache.outside(kDirectory)), inside_(cache.inside(kDirectory)), random_(seed) {
  ::mkdir(outside_.c_str(), 0755);
  thread_ = std::thread([this] { work(); });
}

Outsider::~Outsider() { stop(); }

std::string Outsider::stop() {
  stopped_ = true;
  if (thread_.joinable()) thread_.join();
  return fault_;
}

void Outsider::work() try {
  while (!stopped_ && fault_.empty()) {
    change();
    ++changes_;
    fault_ = difference();
  }
  has_fault_ = !fault_.empty();
} catch (const std::exception& error) {
  fault_ = error.what();
  has_fault_ = true;
}

void Outsider::change() {
  const std::string name = fmt::format("f{}", random(kNames));
  if (!files_.contains(name)) return create_or_replace(name);
  switch (random(4)) {
    case 0:
      return create_or_replace(name);
    case 1:
      return rewrite_in_secret(name);
    case 2:
      return rename(name, fmt::format("f{}", random(kNames)));
    default:
      return unlink(name);
  }
}

void Outsider::create_or_replace(const std::string& name) {
  files_[name] = noise(random(kMostBytes), random_());
  write_file(outside_ + "/" + name, files_[name]);
}

// The size stays, and the mtime is put back: only the ctime tells.
void Outsider::rewrite_in_secret(const std::string& name) {
  const std::string path = outside_ + "/" + name;
  const struct stat before = stat_of(path);
  files_[name] = noise(files_[name].size(), random_());
  overwrite(path, 0, files_[name]);
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ::utimensat(AT_FDCWD, path.c_str(), times, 0);
}

void Outsider::rename(const std::string& from, const std::string& to) {
  if (from == to) return;
  if (::rename((outside_ + "/" + from).c_str(), (outside_ + "/" + to).c_str()) != 0) {
    throw std::system_error(errno, std::generic_category(), "rename " + from);
  }
  files_[to] = std::move(files_[from]);
  files_.erase(from);
}

void Outsider::unlink(const std::string& name) {
  if (::unlink((outside_ + "/" + name).c_str()) != 0) {
    throw std::system_error(errno, std::generic_category(), "unlink " + name);
  }
  files_.erase(name);
}

// Of the names all, of the contents two: the walk beside this shall have most of the time. Each file is looked at,
// because a rename and a rewrite with the old mtime between two looks can't be told from a rename alone
// (docs/consistency.md).
std::string Outsider::difference() {
  std::set<std::string> expected;
  for (const auto& [name, content] : files_) expected.insert(name);
  if (const auto names = names_in(inside_); names != expected) {
    return fmt::format("after {} changes the mount lists {} files of {}", changes_.load(), names.size(),
                       expected.size());
  }
  for (const std::string& name : expected) stat_of(inside_ + "/" + name);
  for (int i = 0; i < 2 && !files_.empty(); ++i) {
    const auto file = std::next(files_.begin(), static_cast<std::ptrdiff_t>(random(files_.size())));
    const std::string found = content_difference(file->second, read_file(inside_ + "/" + file->first));
    if (!found.empty()) return fmt::format("after {} changes, {}: {}", changes_.load(), file->first, found);
  }
  return "";
}

}  // namespace forebay::test
