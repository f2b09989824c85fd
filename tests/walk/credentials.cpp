#include "credentials.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace forebay::walk {
namespace {

struct User {
  unsigned id;
  unsigned group;
  std::vector<gid_t> groups;
};

const User& other_user(int number) {
  static const User users[kOtherUsers] = {{1001, 1001, {2001}}, {1002, 1002, {1001}}};
  return users[number - 1];
}

// Plain system calls: the functions of the C library change all threads.
void become(unsigned id, unsigned group, const std::vector<gid_t>& groups) {
  if (::syscall(SYS_setgroups, groups.size(), groups.data()) != 0) {
    fmt::print(stderr, "forebay_walk: setgroups failed, the walk cannot go on\n");
    std::abort();
  }
  ::syscall(SYS_setfsgid, group);
  ::syscall(SYS_setfsuid, id);
}

const std::vector<gid_t>& own_groups() {
  static const std::vector<gid_t> groups = [] {
    std::vector<gid_t> found(static_cast<size_t>(::getgroups(0, nullptr)));
    found.resize(static_cast<size_t>(::getgroups(static_cast<int>(found.size()), found.data())));
    return found;
  }();
  return groups;
}

}  // namespace

ActingAs::ActingAs(int user) : user_(user) {
  if (user_ == 0) return;
  own_groups();
  const User& other = other_user(user_);
  become(other.id, other.group, other.groups);
}

ActingAs::~ActingAs() {
  if (user_ == 0) return;
  // The user id first: it brings back the right to set the others.
  ::syscall(SYS_setfsuid, ::geteuid());
  become(::geteuid(), ::getegid(), own_groups());
}

}  // namespace forebay::walk
