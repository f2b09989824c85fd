// Acting as the caller: external calls of a request are made with the caller's file system identity, so that the
// external file system decides what it may do.
#pragma once

#include "core/protocol/types.h"

namespace forebay::meta {

// From construction to destruction this thread's file system calls are the caller's (fsuid, fsgid, supplementary
// groups; capabilities go with the fsuid). Only root can take another identity; without it nothing changes.
class ActAs {
 public:
  explicit ActAs(const Caller& caller);
  ~ActAs();
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

 private:
  bool uid_changed_ = false, gid_changed_ = false, groups_changed_ = false;
};

// This thread's umask for what it creates: the caller's, so that default ACLs of the outside count as they should.
class ActWithUmask {
 public:
  explicit ActWithUmask(mode_t mask);
  ~ActWithUmask();
  ActWithUmask(const ActWithUmask&) = delete;
  ActWithUmask& operator=(const ActWithUmask&) = delete;

 private:
  mode_t saved_;
};

}  // namespace forebay::meta
