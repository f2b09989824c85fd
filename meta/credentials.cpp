#include "meta/credentials.h"

#include <sched.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace forebay::meta {
namespace {

// The process's own supplementary groups, read before any thread takes others.
const std::vector<gid_t>& own_groups() {
  static const std::vector<gid_t> groups = [] {
    std::vector<gid_t> list(static_cast<size_t>(std::max(0, ::getgroups(0, nullptr))));
    list.resize(static_cast<size_t>(std::max(0, ::getgroups(static_cast<int>(list.size()), list.data()))));
    return list;
  }();
  return groups;
}

// The system call itself: the C library's function would change all threads.
void set_thread_groups(const std::vector<gid_t>& groups) { ::syscall(SYS_setgroups, groups.size(), groups.data()); }

}  // namespace

ActAs::ActAs(const Caller& caller) {
  static const uid_t own_uid = ::geteuid();
  static const gid_t own_gid = ::getegid();
  if (own_uid != 0) return;
  const std::vector<gid_t>& own = own_groups();
  if (caller.uid != own_uid && caller.groups != own) {
    set_thread_groups(caller.groups);
    groups_changed_ = true;
  }
  if (caller.gid != own_gid) {
    ::setfsgid(caller.gid);
    gid_changed_ = true;
  }
  if (caller.uid != own_uid) {
    ::setfsuid(caller.uid);  // last: it gives up the file system capabilities
    uid_changed_ = true;
  }
}

ActAs::~ActAs() {
  if (uid_changed_) ::setfsuid(::geteuid());
  if (gid_changed_) ::setfsgid(::getegid());
  if (groups_changed_) set_thread_groups(own_groups());
}

ActWithUmask::ActWithUmask(mode_t mask) {
  // The umask belongs to what threads of a process share, unless a thread asks for its own.
  thread_local const int own = ::unshare(CLONE_FS);
  static_cast<void>(own);
  saved_ = ::umask(mask);
}

ActWithUmask::~ActWithUmask() { ::umask(saved_); }

}  // namespace forebay::meta
