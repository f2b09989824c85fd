// Reading directories: whole, through an open handle, from remembered positions, and while they change.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "directory_reader.h"
#include "planner.h"
#include "side.h"
#include "text.h"

namespace forebay::walk {
namespace {

constexpr int64_t kCompareInodes = 1;

// The smallest buffer still holds a name of 255 bytes.
int64_t buffer_size(Planner& p) { return p.random().percent(50) ? 32'768 : 280 + p.random().below(2000); }

bool plan_readdir(Planner& p, Op& op) {
  if (p.random().percent(25))
    op.slot = p.handles().pick(p.random(), [](const HandleInfo& h) { return h.is_directory() && !h.path_only(); });
  if (op.slot < 0) op.place = p.directory();
  op.length = buffer_size(p);
  op.flags = p.random().percent(30) ? kCompareInodes : 0;
  return true;
}

UniqueFd open_place(Side& side, const Op& op, Outcome& outcome) {
  UniqueFd fd(::openat(side.base(op.place), op.place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) outcome.take(-1);
  return fd;
}

void compare_inodes(int directory, const std::vector<DirectoryEntry>& entries, Outcome& outcome) {
  for (const auto& entry : entries) {
    struct stat status;
    if (::fstatat(directory, entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (status.st_ino != entry.inode)
      outcome.fault = fmt::format("{}: d_ino is {}, st_ino {}", printable(entry.name), entry.inode, status.st_ino);
  }
}

void read_directory(int directory, const Op& op, Outcome& outcome) {
  std::vector<DirectoryEntry> entries;
  if (!read_all_entries(directory, op.length, entries)) {
    outcome.take(-1);
    return;
  }
  outcome.bytes = listing(entries, outcome.fault);
  if (op.flags == kCompareInodes) compare_inodes(directory, entries, outcome);
}

void run_readdir(Side& side, const Op& op, Outcome& outcome) {
  if (op.slot >= 0) {
    ::lseek(side.fd(op.slot), 0, SEEK_SET);
    read_directory(side.fd(op.slot), op, outcome);
  } else if (const UniqueFd directory = open_place(side, op, outcome)) {
    read_directory(directory.get(), op, outcome);
  }
}

bool plan_seekdir(Planner& p, Op& op) {
  op.place = p.directory();
  op.length = buffer_size(p);
  op.offset = p.random().below(100);
  return true;
}

bool same_names(const std::vector<DirectoryEntry>& a, size_t from, const std::vector<DirectoryEntry>& b) {
  return std::equal(a.begin() + static_cast<ptrdiff_t>(from), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.name == y.name; });
}

// From a position that was told before, the same entries must follow again; likewise from the start.
void run_seekdir(Side& side, const Op& op, Outcome& outcome) {
  const UniqueFd directory = open_place(side, op, outcome);
  if (!directory) return;
  std::vector<DirectoryEntry> all;
  if (!read_all_entries(directory.get(), op.length, all)) {
    outcome.take(-1);
    return;
  }
  outcome.bytes = listing(all, outcome.fault);
  for (size_t from : {all.empty() ? size_t{0} : static_cast<size_t>(op.offset) % (all.size() + 1), size_t{0}}) {
    std::vector<DirectoryEntry> again;
    ::lseek(directory.get(), from == 0 ? 0 : all[from - 1].next, SEEK_SET);
    if (!read_all_entries(directory.get(), op.length, again) || !same_names(all, from, again))
      outcome.fault = fmt::format("after seekdir behind entry {} of {}, other entries follow", from, all.size());
  }
}

bool plan_churn(Planner& p, Op& op) {
  op.place = p.directory();
  op.length = 1 + p.random().below(p.random().percent(5) ? 60 : 12);
  op.offset = 280 + p.random().below(600);
  return true;
}

std::string churn_name(int64_t number) { return fmt::format("churn-{}", number); }

// Each entry that stayed all the time must come exactly once; the others may.
void check_stable(const std::vector<DirectoryEntry>& before, const std::vector<DirectoryEntry>& seen,
                  Outcome& outcome) {
  std::map<std::string, int> count;
  for (const auto& entry : seen) ++count[entry.name];
  for (const auto& entry : before)
    if (count[entry.name] != 1)
      outcome.fault = fmt::format("{} was listed {} times while other entries came and went", printable(entry.name),
                                  count[entry.name]);
}

void create_churn(int directory, int64_t from, int64_t to, Outcome& outcome) {
  for (int64_t i = from; i < to; ++i)
    if (::mknodat(directory, churn_name(i).c_str(), S_IFREG | 0644, 0) != 0) outcome.error = errno;
}

void remove_churn(int directory, int64_t from, int64_t to, Outcome& outcome) {
  for (int64_t i = from; i < to; ++i)
    if (::unlinkat(directory, churn_name(i).c_str(), 0) != 0) outcome.error = errno;
}

void run_churn(Side& side, const Op& op, Outcome& outcome) {
  const UniqueFd directory = open_place(side, op, outcome);
  if (!directory) return;
  std::vector<DirectoryEntry> before;
  if (!read_all_entries(directory.get(), 32'768, before)) {
    outcome.take(-1);
    return;
  }
  std::vector<DirectoryEntry> seen;
  ::lseek(directory.get(), 0, SEEK_SET);
  read_entries(directory.get(), op.offset, seen);
  create_churn(directory.get(), 0, op.length, outcome);
  read_entries(directory.get(), op.offset, seen);
  remove_churn(directory.get(), 0, op.length / 2, outcome);
  if (!read_all_entries(directory.get(), op.offset, seen)) outcome.take(-1);
  remove_churn(directory.get(), op.length / 2, op.length, outcome);
  outcome.bytes = listing(before, outcome.fault);
  if (outcome.error == 0) check_stable(before, seen, outcome);
}

}  // namespace

const OpTable& directory_ops() {
  static const OpTable table = {
      {"readdir", 18, Effect::kNone, Risk::kNone, plan_readdir, run_readdir},
      {"seekdir", 4, Effect::kNone, Risk::kNone, plan_seekdir, run_seekdir},
      {"readdir_churn", 2, Effect::kNamespace, Risk::kNone, plan_churn, run_churn},
  };
  return table;
}

}  // namespace forebay::walk
