#include "consistency/probe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace forebay::consistency {

Result<Probe> probe(int fd, const char* name, dev_t link_device, Freshness freshness) {
  struct statx found;
  int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
  if (freshness == Freshness::kServer) flags |= AT_STATX_FORCE_SYNC;
  if (freshness == Freshness::kKnown) flags |= AT_STATX_DONT_SYNC;
  if (::statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &found) != 0) return fail_errno();
  if (freshness == Freshness::kKnown && (found.stx_mask & STATX_BASIC_STATS) != STATX_BASIC_STATS) {
    return fail(ENODATA);
  }

  Probe probe;
  const dev_t device = makedev(found.stx_dev_major, found.stx_dev_minor);
  probe.identity.device = device == link_device ? 0 : device;
  probe.identity.inode = found.stx_ino;
  if ((found.stx_mask & STATX_BTIME) != 0) probe.identity.birth = FileTime::of(found.stx_btime);
  if ((found.stx_mask & STATX_MNT_ID) != 0) probe.mount_id = found.stx_mnt_id;
  probe.is_mount_root = (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;

  Attributes& attributes = probe.attributes;
  attributes.mode = found.stx_mode;
  attributes.link_count = found.stx_nlink;
  attributes.uid = found.stx_uid;
  attributes.gid = found.stx_gid;
  attributes.device_number = makedev(found.stx_rdev_major, found.stx_rdev_minor);
  attributes.inode_number = shown_number(probe.identity);
  attributes.size = found.stx_size;
  attributes.blocks = found.stx_blocks;
  attributes.block_size = found.stx_blksize;
  attributes.atime = FileTime::of(found.stx_atime);
  attributes.mtime = FileTime::of(found.stx_mtime);
  attributes.ctime = FileTime::of(found.stx_ctime);
  attributes.birth = probe.identity.birth;

  probe.version = {attributes.mtime, attributes.ctime, attributes.size, found.stx_ino};
  return probe;
}

}  // namespace forebay::consistency
