// The file system identity of the calling thread alone.
#pragma once

namespace forebay::walk {

// How many users there are beside the one that the process runs as (0).
inline constexpr int kOtherUsers = 2;

// Acts as another user for as long as it lives: user and group ids and supplementary groups, no capabilities.
class ActingAs {
 public:
  explicit ActingAs(int user);
  ~ActingAs();
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;

 private:
  int user_;
};

// Ids that occur: owners, groups, and one above 16 bits.
inline constexpr int kUserIds[] = {0, 1001, 1002, 70000};
inline constexpr int kGroupIds[] = {0, 1001, 1002, 2001};

}  // namespace forebay::walk
