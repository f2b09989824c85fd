// The tables of operations that libfuse gets. What is not there the kernel does by itself, as for a local file system:
// permission checks (default_permissions), poll; and locks, unless other nodes have to know of them.
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs {

const fuse_lowlevel_ops& operations(bool in_cluster) {
  static const fuse_lowlevel_ops alone = [] {
    fuse_lowlevel_ops all = {};
    all.init = ops::init;
    all.lookup = ops::lookup;
    all.forget = ops::forget;
    all.forget_multi = ops::forget_multi;
    all.getattr = ops::getattr;
    all.setattr = ops::setattr;
    all.statfs = ops::statfs;
    all.mknod = ops::mknod;
    all.mkdir = ops::mkdir;
    all.symlink = ops::symlink;
    all.link = ops::link;
    all.readlink = ops::readlink;
    all.unlink = ops::unlink;
    all.rmdir = ops::rmdir;
    all.rename = ops::rename;
    all.open = ops::open;
    all.create = ops::create;
    all.tmpfile = ops::tmpfile;
    all.release = ops::release;
    all.flush = ops::flush;
    all.fsync = ops::fsync;
    all.read = ops::read;
    all.write = ops::write;
    all.fallocate = ops::fallocate;
    all.lseek = ops::lseek;
    all.copy_file_range = ops::copy_file_range;
    all.opendir = ops::opendir;
    all.readdir = ops::readdir;
    all.readdirplus = ops::readdirplus;
    all.releasedir = ops::releasedir;
    all.fsyncdir = ops::fsyncdir;
    all.getxattr = ops::getxattr;
    all.listxattr = ops::listxattr;
    all.setxattr = ops::setxattr;
    all.removexattr = ops::removexattr;
    all.ioctl = ops::ioctl;
    return all;
  }();
  static const fuse_lowlevel_ops together = [] {
    fuse_lowlevel_ops all = alone;
    all.getlk = ops::getlk;
    all.setlk = ops::setlk;
    all.flock = ops::flock;
    return all;
  }();
  return in_cluster ? together : alone;
}

}  // namespace forebay::cachefs
