// The FUSE operations, as libfuse calls them. Each decodes the request, asks a service, and replies; semantics are in
// meta/ops and storage/ops.
#pragma once

#include <fuse_lowlevel.h>

namespace forebay::cachefs::ops {

void init(void* userdata, fuse_conn_info* connection);
void lookup(fuse_req_t request, fuse_ino_t parent, const char* name);
void forget(fuse_req_t request, fuse_ino_t inode, uint64_t count);
void forget_multi(fuse_req_t request, size_t count, fuse_forget_data* forgets);
void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info);
void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* attributes, int to_set, fuse_file_info* info);
void statfs(fuse_req_t request, fuse_ino_t inode);
void mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device);
void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode);
void symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name);
void link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t new_parent, const char* new_name);
void readlink(fuse_req_t request, fuse_ino_t inode);
void unlink(fuse_req_t request, fuse_ino_t parent, const char* name);
void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name);
void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned int flags);
void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info);
void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* info);
void tmpfile(fuse_req_t request, fuse_ino_t parent, mode_t mode, fuse_file_info* info);
void release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info);
void flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info);
void fsync(fuse_req_t request, fuse_ino_t inode, int data_only, fuse_file_info* info);
void read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* info);
void write(fuse_req_t request, fuse_ino_t inode, const char* data, size_t size, off_t offset, fuse_file_info* info);
void fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length, fuse_file_info* info);
void lseek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence, fuse_file_info* info);
void copy_file_range(fuse_req_t request, fuse_ino_t inode_in, off_t offset_in, fuse_file_info* info_in,
                     fuse_ino_t inode_out, off_t offset_out, fuse_file_info* info_out, size_t length, int flags);
void opendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info);
void readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* info);
void readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* info);
void releasedir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info);
void fsyncdir(fuse_req_t request, fuse_ino_t inode, int data_only, fuse_file_info* info);
void getxattr(fuse_req_t request, fuse_ino_t inode, const char* name, size_t size);
void listxattr(fuse_req_t request, fuse_ino_t inode, size_t size);
void setxattr(fuse_req_t request, fuse_ino_t inode, const char* name, const char* value, size_t size, int flags);
void removexattr(fuse_req_t request, fuse_ino_t inode, const char* name);
// These only of a client of a cluster.
void getlk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info, struct flock* lock);
void setlk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info, struct flock* lock, int sleep);
void flock(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info, int operation);
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 5)
void ioctl(fuse_req_t request, fuse_ino_t inode, unsigned int command, void* argument, fuse_file_info* info,
           unsigned int flags, const void* in, size_t in_size, size_t out_size);
#else
void ioctl(fuse_req_t request, fuse_ino_t inode, int command, void* argument, fuse_file_info* info, unsigned int flags,
           const void* in, size_t in_size, size_t out_size);
#endif

}  // namespace forebay::cachefs::ops
