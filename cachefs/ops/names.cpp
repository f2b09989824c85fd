// mknod, mkdir, symlink, link, readlink, unlink, rmdir, rename: straight to the metadata service.
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

// Of a name that is made.
void reply_entry(fuse_req_t request, InodeId parent, const char* name, const Result<EntryReply>& entry) {
  changes_names(session_of(request), parent, name);
  if (!entry) return reply_error(request, entry.error());
  const fuse_entry_param param = entry_param_of(*entry);
  MetaService& meta = session_of(request).meta;
  if (fuse_reply_entry(request, &param) == -ENOENT) meta.forget(entry->id, 1);
}

}  // namespace

void mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  MetaService& meta = session_of(request).meta;
  reply_entry(request, parent, name, meta.mknod(caller_of(request, Groups::kAll), parent, name, mode, device));
}

void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  MetaService& meta = session_of(request).meta;
  reply_entry(request, parent, name, meta.mkdir(caller_of(request, Groups::kAll), parent, name, mode));
}

void symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  MetaService& meta = session_of(request).meta;
  reply_entry(request, parent, name, meta.symlink(caller_of(request, Groups::kAll), parent, name, target));
}

void link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t new_parent, const char* new_name) {
  MetaService& meta = session_of(request).meta;
  const Caller caller = caller_of(request, Groups::kAll);
  reply_entry(request, new_parent, new_name, meta.link(caller, inode, new_parent, new_name));
}

void readlink(fuse_req_t request, fuse_ino_t inode) {
  const Result<std::string> target = session_of(request).meta.readlink(caller_of(request, Groups::kNone), inode);
  if (!target) return reply_error(request, target.error());
  fuse_reply_readlink(request, target->c_str());
}

void unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  reply_status(request, session_of(request).meta.unlink(caller_of(request, Groups::kAll), parent, name));
}

void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  reply_status(request, session_of(request).meta.rmdir(caller_of(request, Groups::kAll), parent, name));
}

void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned int flags) {
  MetaService& meta = session_of(request).meta;
  meta.directories_move();
  const Status renamed = meta.rename(caller_of(request, Groups::kAll), parent, name, new_parent, new_name, flags);
  meta.directories_move();  // nor what was told meanwhile
  changes_names(session_of(request), new_parent, new_name);
  reply_status(request, renamed);
}

}  // namespace forebay::cachefs::ops
