// The operations: each enters through the knobs and then does the same to the backing directory.
#include "operations.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "knobs.h"

namespace forebay::slowfs {
namespace {

int root_fd = -1;

// libfuse gives "/a/b"; the system calls take "a/b" below root_fd.
const char* below(const char* path) { return path[1] == '\0' ? "." : path + 1; }
std::string proc_path(const char* path) { return "/proc/self/fd/" + std::to_string(root_fd) + path; }
bool is_root(const char* path) { return path[1] == '\0'; }
int fd_of(const fuse_file_info* info) { return static_cast<int>(info->fh); }
DIR* directory_of(const fuse_file_info* info) { return reinterpret_cast<DIR*>(info->fh); }
int result_of(long returned) { return returned < 0 ? -errno : 0; }

// New objects belong to the caller. The raw system calls change this thread alone.
class AsCaller {
 public:
  AsCaller() {
    constexpr int kMostGroups = 1024;
    std::vector<gid_t> groups(kMostGroups);
    const int count = ::fuse_getgroups(kMostGroups, groups.data());
    const fuse_context* const caller = ::fuse_get_context();
    ::syscall(SYS_setgroups, count < 0 ? 0 : count, groups.data());
    ::syscall(SYS_setfsgid, caller->gid);
    ::syscall(SYS_setfsuid, caller->uid);
  }
  ~AsCaller() {
    ::syscall(SYS_setfsuid, 0);
    ::syscall(SYS_setfsgid, 0);
    ::syscall(SYS_setgroups, 0, nullptr);
  }
  AsCaller(const AsCaller&) = delete;
  AsCaller& operator=(const AsCaller&) = delete;
};

template <typename Call>
int enter(const char* operation, Call call) {
  if (const int code = knobs().enter(operation); code != 0) return -code;
  return call();
}

int do_getattr(const char* path, struct stat* attributes, fuse_file_info* info) {
  const auto look = [&] {
    if (info != nullptr) return result_of(::fstat(fd_of(info), attributes));
    return result_of(::fstatat(root_fd, below(path), attributes, AT_SYMLINK_NOFOLLOW));
  };
  return is_root(path) ? look() : enter("getattr", look);
}

int do_readlink(const char* path, char* buffer, size_t size) {
  return enter("readlink", [&] {
    const ssize_t bytes = ::readlinkat(root_fd, below(path), buffer, size - 1);
    if (bytes < 0) return -errno;
    buffer[bytes] = '\0';
    return 0;
  });
}

int do_mknod(const char* path, mode_t mode, dev_t device) {
  return enter("mknod", [&] {
    const AsCaller rights;
    return result_of(::mknodat(root_fd, below(path), mode, device));
  });
}

int do_mkdir(const char* path, mode_t mode) {
  return enter("mkdir", [&] {
    const AsCaller rights;
    return result_of(::mkdirat(root_fd, below(path), mode));
  });
}

int do_symlink(const char* target, const char* path) {
  return enter("symlink", [&] {
    const AsCaller rights;
    return result_of(::symlinkat(target, root_fd, below(path)));
  });
}

int do_unlink(const char* path) {
  return enter("unlink", [&] { return result_of(::unlinkat(root_fd, below(path), 0)); });
}

int do_rmdir(const char* path) {
  return enter("rmdir", [&] { return result_of(::unlinkat(root_fd, below(path), AT_REMOVEDIR)); });
}

int do_rename(const char* from, const char* to, unsigned flags) {
  return enter("rename", [&] { return result_of(::renameat2(root_fd, below(from), root_fd, below(to), flags)); });
}

int do_link(const char* from, const char* to) {
  return enter("link", [&] { return result_of(::linkat(root_fd, below(from), root_fd, below(to), 0)); });
}

int do_chmod(const char* path, mode_t mode, fuse_file_info* info) {
  return enter("chmod", [&] {
    return result_of(info != nullptr ? ::fchmod(fd_of(info), mode) : ::fchmodat(root_fd, below(path), mode, 0));
  });
}

int do_chown(const char* path, uid_t uid, gid_t gid, fuse_file_info* info) {
  return enter("chown", [&] {
    return result_of(info != nullptr ? ::fchown(fd_of(info), uid, gid)
                                     : ::fchownat(root_fd, below(path), uid, gid, AT_SYMLINK_NOFOLLOW));
  });
}

int do_truncate(const char* path, off_t size, fuse_file_info* info) {
  return enter("truncate", [&] {
    return result_of(info != nullptr ? ::ftruncate(fd_of(info), size) : ::truncate(proc_path(path).c_str(), size));
  });
}

int do_utimens(const char* path, const timespec times[2], fuse_file_info* info) {
  return enter("utimens", [&] {
    return result_of(info != nullptr ? ::futimens(fd_of(info), times)
                                     : ::utimensat(root_fd, below(path), times, AT_SYMLINK_NOFOLLOW));
  });
}

int keep(int fd, fuse_file_info* info) {
  if (fd < 0) return -errno;
  info->fh = static_cast<uint64_t>(fd);
  return 0;
}

int do_open(const char* path, fuse_file_info* info) {
  return enter("open", [&] { return keep(::openat(root_fd, below(path), info->flags | O_CLOEXEC), info); });
}

int do_create(const char* path, mode_t mode, fuse_file_info* info) {
  return enter("create", [&] {
    const AsCaller rights;
    return keep(::openat(root_fd, below(path), info->flags | O_CREAT | O_CLOEXEC, mode), info);
  });
}

int do_read(const char*, char* buffer, size_t size, off_t offset, fuse_file_info* info) {
  return enter("read", [&] {
    const ssize_t bytes = ::pread(fd_of(info), buffer, size, offset);
    if (bytes < 0) return -errno;
    knobs().transfer(static_cast<uint64_t>(bytes));
    return static_cast<int>(bytes);
  });
}

int do_write(const char*, const char* data, size_t size, off_t offset, fuse_file_info* info) {
  return enter("write", [&] {
    knobs().transfer(size);
    const ssize_t bytes = ::pwrite(fd_of(info), data, size, offset);
    return bytes < 0 ? -errno : static_cast<int>(bytes);
  });
}

int do_statfs(const char* path, struct statvfs* result) {
  return enter("statfs", [&] { return result_of(::statvfs(proc_path(path).c_str(), result)); });
}

int do_flush(const char*, fuse_file_info* info) {
  return enter("flush", [&] { return result_of(::close(::dup(fd_of(info)))); });
}

int do_release(const char*, fuse_file_info* info) {
  return enter("release", [&] { return result_of(::close(fd_of(info))); });
}

int do_fsync(const char*, int data_only, fuse_file_info* info) {
  return enter("fsync", [&] { return result_of(data_only != 0 ? ::fdatasync(fd_of(info)) : ::fsync(fd_of(info))); });
}

int do_fallocate(const char*, int mode, off_t offset, off_t length, fuse_file_info* info) {
  return enter("fallocate", [&] { return result_of(::fallocate(fd_of(info), mode, offset, length)); });
}

off_t do_lseek(const char*, off_t offset, int whence, fuse_file_info* info) {
  if (const int code = knobs().enter("lseek"); code != 0) return -code;
  const off_t found = ::lseek(fd_of(info), offset, whence);
  return found < 0 ? -errno : found;
}

bool is_knob(const char* path, const char* name) {
  return is_root(path) && std::strncmp(name, Knobs::kPrefix.data(), Knobs::kPrefix.size()) == 0;
}

int do_setxattr(const char* path, const char* name, const char* value, size_t size, int flags) {
  if (is_knob(path, name)) return -knobs().set(name + Knobs::kPrefix.size(), {value, size});
  return enter("setxattr", [&] { return result_of(::lsetxattr(proc_path(path).c_str(), name, value, size, flags)); });
}

int do_getxattr(const char* path, const char* name, char* value, size_t size) {
  if (is_knob(path, name)) {
    std::string text;
    // A question for the size must not take the counts away.
    const std::string_view knob = name + Knobs::kPrefix.size();
    constexpr int kMostCounts = 1024;
    if (size == 0 && knob == "count") return kMostCounts;
    if (const int code = knobs().get(knob, &text); code != 0) return -code;
    if (size == 0) return static_cast<int>(text.size());
    if (size < text.size()) return -ERANGE;
    std::memcpy(value, text.data(), text.size());
    return static_cast<int>(text.size());
  }
  return enter("getxattr", [&] {
    if (std::string_view(name).starts_with("system.posix_acl_")) return -ENOTSUP;  // as of most network file systems
    const ssize_t bytes = ::lgetxattr(proc_path(path).c_str(), name, value, size);
    return bytes < 0 ? -errno : static_cast<int>(bytes);
  });
}

int do_listxattr(const char* path, char* list, size_t size) {
  return enter("listxattr", [&] {
    const ssize_t bytes = ::llistxattr(proc_path(path).c_str(), list, size);
    return bytes < 0 ? -errno : static_cast<int>(bytes);
  });
}

int do_removexattr(const char* path, const char* name) {
  return enter("removexattr", [&] { return result_of(::lremovexattr(proc_path(path).c_str(), name)); });
}

int do_opendir(const char* path, fuse_file_info* info) {
  return enter("opendir", [&] {
    DIR* const directory = ::fdopendir(::openat(root_fd, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory == nullptr) return -errno;
    info->fh = reinterpret_cast<uint64_t>(directory);
    return 0;
  });
}

int do_readdir(const char*, void* buffer, fuse_fill_dir_t fill, off_t offset, fuse_file_info* info,
               fuse_readdir_flags) {
  return enter("readdir", [&] {
    DIR* const directory = directory_of(info);
    ::seekdir(directory, offset);
    while (const dirent* const entry = ::readdir(directory)) {
      struct stat attributes {};
      attributes.st_ino = entry->d_ino;
      attributes.st_mode = static_cast<mode_t>(DTTOIF(entry->d_type));
      if (fill(buffer, entry->d_name, &attributes, entry->d_off, static_cast<fuse_fill_dir_flags>(0)) != 0) break;
    }
    return 0;
  });
}

int do_releasedir(const char*, fuse_file_info* info) {
  return enter("releasedir", [&] { return result_of(::closedir(directory_of(info))); });
}

int do_fsyncdir(const char*, int, fuse_file_info* info) {
  return enter("fsyncdir", [&] { return result_of(::fsync(::dirfd(directory_of(info)))); });
}

// Nothing is remembered: each look of the kernel is an operation, as on a server far away.
void* do_init(fuse_conn_info*, fuse_config* config) {
  config->use_ino = 1;
  config->nullpath_ok = 0;
  config->hard_remove = 1;
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  config->direct_io = 1;
  return nullptr;
}

}  // namespace

fuse_operations operations(int backing_fd) {
  root_fd = backing_fd;
  fuse_operations table{};
  table.init = do_init;
  table.getattr = do_getattr;
  table.readlink = do_readlink;
  table.mknod = do_mknod;
  table.mkdir = do_mkdir;
  table.symlink = do_symlink;
  table.unlink = do_unlink;
  table.rmdir = do_rmdir;
  table.rename = do_rename;
  table.link = do_link;
  table.chmod = do_chmod;
  table.chown = do_chown;
  table.truncate = do_truncate;
  table.utimens = do_utimens;
  table.open = do_open;
  table.create = do_create;
  table.read = do_read;
  table.write = do_write;
  table.statfs = do_statfs;
  table.flush = do_flush;
  table.release = do_release;
  table.fsync = do_fsync;
  table.fallocate = do_fallocate;
  table.lseek = do_lseek;
  table.setxattr = do_setxattr;
  table.getxattr = do_getxattr;
  table.listxattr = do_listxattr;
  table.removexattr = do_removexattr;
  table.opendir = do_opendir;
  table.readdir = do_readdir;
  table.releasedir = do_releasedir;
  table.fsyncdir = do_fsyncdir;
  return table;
}

}  // namespace forebay::slowfs
