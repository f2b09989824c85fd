// getattr, setattr, statfs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {
namespace {

timespec time_argument(bool set, bool now, const FileTime& time) {
  if (!set) return {0, UTIME_OMIT};
  return now ? timespec{0, UTIME_NOW} : time.to_timespec();
}

// Everything but the size, as one caller, in the order in which Linux applies it.
Status change_outside(const Caller& caller, int fd, const SetAttributes& change) {
  const std::string path = consistency::proc_path(fd);
  const ActAs caller_rights(caller);
  if (change.set_uid || change.set_gid) {
    const uid_t uid = change.set_uid ? change.uid : static_cast<uid_t>(-1);
    const gid_t gid = change.set_gid ? change.gid : static_cast<gid_t>(-1);
    if (::fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) return fail_errno();
  }
  if (change.set_mode && ::chmod(path.c_str(), change.mode & 07777) != 0) return fail_errno();
  if (change.set_atime || change.set_mtime) {
    const timespec times[2] = {time_argument(change.set_atime, change.atime_now, change.atime),
                               time_argument(change.set_mtime, change.mtime_now, change.mtime)};
    if (::utimensat(fd, "", times, AT_EMPTY_PATH) != 0) return fail_errno();
  }
  return {};
}

}  // namespace

Result<AttributesReply> MetaServer::getattr(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  RETURN_IF_ERROR(refresh_for_client(inode));
  EntryReply entry = entry_of(inode);
  return AttributesReply{entry.attributes, entry.valid_for, std::move(entry.delegated)};
}

Result<AttributesReply> MetaServer::setattr(const Caller& caller, InodeId id, const SetAttributes& change) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  if (change.set_size) {
    RETURN_IF_ERROR(strip_privileges(caller, id, change.strip_set_id_bits));
    RETURN_IF_ERROR(set_size(caller, inode, change.size));
  }
  const bool sets_other = change.set_mode || change.set_uid || change.set_gid || change.set_atime || change.set_mtime;
  if (!change.set_size && !sets_other && !inode->is_directory()) RETURN_IF_ERROR(change_nothing(caller, inode));
  if (sets_other) {
    ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
    const Status changed = own_change(inode, change.set_mtime ? Change::kTimes : Change::kAttributes, [&]() -> Status {
      RETURN_IF_ERROR(change_outside(caller, fd->get(), change));
      if (!change.set_mtime || !inode->is_file()) return {};
      // Of a dirty file the mtime is that of its data here, and the end of a flush, which waits for us, takes it out.
      // What is outside meanwhile may be the time of that flush's writes.
      if (!change.mtime_now) return storage_.set_mtime(id, change.mtime);
      ASSIGN_OR_RETURN(const consistency::Probe probe, external_.probe_fd(fd->get()));
      return storage_.set_mtime(id, probe.attributes.mtime);
    });
    if (!changed && !change_nameless(inode, change, changed.error())) return Failure(changed.error());
  }
  RETURN_IF_ERROR(refresh(inode));
  EntryReply entry = entry_of(inode);
  return AttributesReply{entry.attributes, entry.valid_for, std::move(entry.delegated)};
}

// An open file without a name that a network file system knows nothing of any more (`error` says so) lives here alone.
// The kernel has checked the permission.
bool MetaServer::change_nameless(const InodePtr& inode, const SetAttributes& change, const Error& error) {
  timespec clock;
  ::clock_gettime(CLOCK_REALTIME, &clock);
  const FileTime now = FileTime::of(clock);
  const FileTime mtime = change.mtime_now ? now : change.mtime;
  std::unique_lock lock(inode->mutex);
  if (!inode->unlinked || !is_gone(error)) return false;
  Attributes& attributes = inode->attributes;
  if (change.set_mode) attributes.mode = inode->type | (change.mode & 07777);
  if (change.set_uid) attributes.uid = change.uid;
  if (change.set_gid) attributes.gid = change.gid;
  if (change.set_atime) attributes.atime = change.atime_now ? now : change.atime;
  if (change.set_mtime) attributes.mtime = mtime;
  attributes.ctime = now;
  lock.unlock();
  return !change.set_mtime || storage_.set_mtime(inode->id, mtime);
}

// A change of nothing is what the kernel sends for chown(-1, -1), and also before a write, for setuid bits that must
// go. Who owns the file may do both. For others it is no error when a write may follow: that takes the bits itself.
Status MetaServer::change_nothing(const Caller& caller, const InodePtr& inode) {
  bool owner = false, writable = false;
  {
    const std::lock_guard lock(inode->mutex);
    owner = caller.uid == 0 || caller.uid == inode->attributes.uid;
    writable = inode->writers > 0;
  }
  // A write through a lease comes to nobody who could take them.
  const Result<ChunkState> state = storage_.stat_file(inode->id);
  if (owner || (writable && state && state->leased)) return strip_privileges(caller, inode->id, true);
  return writable || !loses_privileges(caller, *inode) ? Status{} : Status(fail(EPERM));
}

// Truncation is a change of data: it happens here, and goes out with the next flush.
Status MetaServer::set_size(const Caller& caller, const InodePtr& inode, uint64_t size) {
  if (!inode->is_file()) return fail(EINVAL);
  {
    ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
    const ActAs caller_rights(caller);
    // Only what can't be written at all is refused here (a read-only outside): the kernel has checked the mode, and
    // an open descriptor keeps its rights.
    if (::faccessat(fd->get(), "", W_OK, AT_EMPTY_PATH | AT_EACCESS) != 0 && errno == EROFS) return fail_errno();
  }
  // The target must know the file, also when nobody has it open.
  RETURN_IF_ERROR(open_inode(caller, inode, O_WRONLY, false));
  const Status truncated = truncate_open(inode, size);
  release(inode->id, O_WRONLY);
  return truncated;
}

Status MetaServer::truncate_open(const InodePtr& inode, uint64_t size) {
  ASSIGN_OR_RETURN(const ChunkState state, storage_.stat_file(inode->id));
  if (state.dirty || state.size != size) {
    begin_truncation(inode);
    const Status truncated = storage_.truncate(inode->id, size);
    end_truncation(inode);
    RETURN_IF_ERROR(truncated);
    // In a cluster each target watches how much is dirty on it, and says so with the next write.
    const bool is_watched = placement_.is_cluster() && config_.flush.policy != FlushPolicy::kWriteThrough;
    return is_watched ? Status{} : after_write(inode->id);
  }
  // No byte changes, but the mtime does: that is done outside at once, like any other change of attributes.
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  return own_change(inode, Change::kTimes, [&]() -> Status {
    ASSIGN_OR_RETURN(const UniqueFd outside, consistency::ExternalTree::reopen(fd->get(), O_WRONLY));
    return ::ftruncate(outside.get(), static_cast<off_t>(size)) == 0 ? Status{} : Status(fail_errno());
  });
}

// Of what is transient: names as the file system that has them, room as the cache.
struct statvfs MetaServer::cache_space(struct statvfs names) {
  const SpaceReport space = storage_.space();
  const uint64_t used = std::min(space.used_bytes, space.capacity_bytes);
  names.f_frsize = names.f_bsize = 4096;
  names.f_blocks = space.capacity_bytes / names.f_frsize;
  names.f_bfree = names.f_bavail = (space.capacity_bytes - used) / names.f_frsize;
  return names;
}

Result<struct statvfs> MetaServer::statfs(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  struct statvfs outside;
  if (::fstatvfs(fd->get(), &outside) == 0) return inode->transient ? cache_space(outside) : outside;
  // An open file without a name, which a network file system knows nothing of: the link's file system is its own.
  if (errno != ESTALE || ::fstatvfs(external_.root_fd(), &outside) != 0) return fail_errno();
  return outside;
}

}  // namespace forebay::meta
