#include "death.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cstring>

#include "tree_scan.h"

namespace forebay::walk {
namespace {

bool is_type(const Op& op, const char* name) { return ::strcmp(op.type->name, name) == 0; }

// Saves one thread. An operation is dropped if nothing of it can outlive the handles, which are gone.
class ThreadSaver {
 public:
  explicit ThreadSaver(Walker& walker) : walker_(walker), scan_(scan_tree(walker.model(), walker.thread())) {}

  SavedThread save() {
    saved_.steps_done = walker_.steps_done();
    saved_.random = walker_.random().state();
    const auto named = scan_.inodes();
    for (const auto& [model, subject] : walker_.identity().pairs())
      if (named.contains(model)) saved_.inodes.emplace_back(model, subject);
    if (walker_.in_flight()) {
      ++saved_.steps_done;  // it will be settled, not repeated
      Op op = *walker_.in_flight();
      if (op.type->effect != Effect::kNone && save_handles(op)) saved_.op = op;
    }
    return std::move(saved_);
  }

 private:
  bool save_handles(Op& op) {
    if (is_type(op, "map_store")) return make_pwrite(op);
    if (op.place.base >= 0 && !save_handle(op.place.base)) return false;
    if (op.place2.base >= 0 && !save_handle(op.place2.base)) return false;
    if (op.slot >= 0 && !is_type(op, "open") && !save_handle(op.slot))
      return is_type(op, "link_fd") && keep_tmpfile(op);
    if (op.slot2 >= 0 && !save_handle(op.slot2)) return copy_source(op);
    return true;
  }

  bool save_handle(int slot) {
    const HandleInfo& handle = walker_.handles()[slot];
    if (!handle.open) return false;
    SavedHandle saved{slot, {}, handle.flags, ::lseek(walker_.model().fd(slot), 0, SEEK_CUR)};
    if (!find(handle.inode, saved.place)) return false;
    saved_.handles.push_back(saved);
    return true;
  }

  bool find(uint64_t inode, Place& place) const {
    struct stat root;
    if (::fstat(walker_.model().thread_root(), &root) == 0 && root.st_ino == inode) {
      place = {kThreadRoot, "."};
      return true;
    }
    const TreeEntry* entry = scan_.find(inode);
    if (entry != nullptr) place = entry->place;
    return entry != nullptr;
  }

  // The mapping is gone; the same bytes in the same place are written through a handle instead.
  bool make_pwrite(Op& op) {
    const MapInfo& map = walker_.handles().map(op.slot2);
    op.type = find_op_type("pwrite");
    op.slot = 0;
    op.slot2 = -1;
    op.offset += map.offset;
    SavedHandle saved{0, {}, O_RDWR, 0};
    if (!find(map.inode, saved.place)) return false;
    saved_.handles.push_back(saved);
    return true;
  }

  // The subject may have given the file its name: the model's must live on until that is known.
  bool keep_tmpfile(const Op& op) {
    const std::string from = fmt::format("/proc/self/fd/{}", walker_.model().fd(op.slot));
    return ::linkat(AT_FDCWD, from.c_str(), walker_.model().thread_root(), kPendingName, AT_SYMLINK_FOLLOW) == 0;
  }

  // The source of a copy has no name any more: its content is needed all the same.
  bool copy_source(const Op& op) {
    const UniqueFd copy(
        ::openat(walker_.model().thread_root(), kPendingName, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const int source = walker_.model().fd(op.slot2);
    const int64_t position = ::lseek(source, 0, SEEK_CUR);
    off_t from = 0;
    if (!copy) return false;
    while (::sendfile(copy.get(), source, &from, 1 << 20) > 0) {
    }
    saved_.handles.push_back({op.slot2, {kThreadRoot, kPendingName}, O_RDWR, position});
    return true;
  }

  Walker& walker_;
  const TreeScan scan_;
  SavedThread saved_;
};

}  // namespace

SavedWalk collect_state(std::vector<std::unique_ptr<Walker>>& walkers) {
  SavedWalk saved;
  for (auto& walker : walkers) saved.threads.push_back(ThreadSaver(*walker).save());
  return saved;
}

}  // namespace forebay::walk
