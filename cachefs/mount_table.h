// Which forebay mounts there are, as the kernel tells it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace forebay::cachefs {

// The program by which users without privileges mount and unmount.
inline constexpr char kFuseHelper[] = "fusermount3";

// The type under which the kernel lists our mounts: subtype "forebay" of "fuse".
constexpr char kMountType[] = "fuse.forebay";

struct MountEntry {
  std::string mountpoint;  // absolute
  std::string type;        // "ext4", "fuse.forebay"
  std::string source;      // of ours: the external directory, as far as the mount says so
  dev_t device = 0;        // st_dev of everything inside
};

// The lines of a mountinfo file (proc(5)), in its order: of several mounts on one directory the last is on top. Lines
// that are none are left out.
std::vector<MountEntry> parse_mount_table(std::string_view text);

// The mounts of this process. Errno of reading /proc/self/mountinfo.
Result<std::vector<MountEntry>> read_mount_table();

// The mount on top of exactly this absolute path; nothing if none is.
std::optional<MountEntry> find_mount_at(const std::vector<MountEntry>& table, std::string_view mountpoint);

// The forebay mount that `path` (as lstat(2) takes it) lies in. ENOTTY when it lies in none; ENOTCONN when the process
// that served it is gone; otherwise the errno of lstat.
Result<MountEntry> find_mount_of(const std::string& path);

// The path as the kernel writes it in its tables: absolute, without links, "." and "..". Works for the mountpoint of a
// dead mount, too. Errno of realpath(3).
Result<std::string> resolve_path(const std::string& path);

// True when the file system mounted there answers nothing any more, because its process is gone. One that is only slow
// to answer is not dead; that is known after a second. Forks: not for a process with threads.
bool is_dead_mount(const std::string& mountpoint);

// Takes the mount on top of `mountpoint` away: by umount2(2), or through fusermount3 for those who may not. `lazily`:
// although it is busy. EBUSY; EPERM; otherwise the errno of umount2(2) or what fusermount3 says.
Status detach_mount(const std::string& mountpoint, bool lazily);

}  // namespace forebay::cachefs
