// open, create, tmpfile, release.
#include <fcntl.h>

#include <memory>

#include "cachefs/control.h"
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

// What the application gets. The kernel's pages stay valid across opens while the copy does; not beside a handle that
// goes past them, though it seems to need none: readahead(2) and posix_fadvise(2) bring some in nevertheless.
void set_handle(Session& session, const Caller& caller, InodeId id, Access access, uint64_t flush_failures,
                fuse_file_info* info) {
  auto handle = std::make_unique<FileHandle>();
  handle->flags = info->flags;
  handle->access = access;
  handle->opener = caller;
  if ((info->flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY) changes_data(session, id);
  if (handle->access == Access::kDirect && (info->flags & O_ACCMODE) == O_RDONLY) {
    handle->reader = std::make_unique<ReadAhead::Reader>(session.read_ahead, id);
  }
  handle->seen_by_close = handle->seen_by_fsync = flush_failures;
  if (handle->access == Access::kCached) {
    info->keep_cache = session.meta.use_pages(id) ? 1 : 0;
  } else {
    session.meta.bypass_pages(id);
  }
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 12)
  // Its close has nothing to bring out or to report. But in a cluster locks may end with it.
  info->noflush = !session.in_cluster() && (info->flags & O_ACCMODE) == O_RDONLY ? 1 : 0;
#endif
  info->fh = reinterpret_cast<uint64_t>(handle.release());
}

Status make_handle(fuse_req_t request, const Caller& caller, InodeId id, const OpenReply& opened, fuse_file_info* info,
                   BackingTable::By by = BackingTable::By::kServer, BackingTable::NewFile new_file = {}) {
  Session& session = session_of(request);
  if (session.in_cluster()) session.layouts->add(id, info->flags, opened.layout);
  const Result<Access> access = session.backing.open(request, id, info, by, &new_file);
  Status known = access ? Status{} : Failure(access.error());
  if (known && new_file) known = tell_handles(session.meta, *session.layouts, id);
  if (!known) {
    if (access) session.backing.release(request, id, *access);
    if (session.in_cluster()) session.layouts->remove(id, info->flags);
    return known;
  }
  set_handle(session, caller, id, *access, opened.flush_failures, info);
  return {};
}

// `request` is null when it has been answered, in vain.
void drop_handle(Session& session, fuse_req_t request, InodeId id, fuse_file_info* info) {
  const std::unique_ptr<FileHandle> handle(&handle_of(info));
  const bool leased = BackingTable::is_backed(handle->access);
  if (session.in_cluster()) {
    // First: a command that finds nothing backed here tells the servers of all that was let go.
    session.tell_queue.release(id, handle->flags, leased);
    return session.backing.release(request, id, handle->access);
  }
  session.backing.release(request, id, handle->access);
  if (leased) session.storage.end_lease(id);
  session.meta.release(id, handle->flags);
}

void reply_create(fuse_req_t request, const Caller& caller, const Result<CreateReply>& entry, fuse_file_info* info) {
  if (!entry) return reply_error(request, entry.error());
  Session& session = session_of(request);
  const auto by = entry->likely_empty ? BackingTable::By::kEmpty : BackingTable::By::kServer;
  if (Status made = make_handle(request, caller, entry->id, {entry->layout}, info, by, entry->new_file); !made) {
    session.meta.release(entry->id, info->flags);
    session.meta.forget(entry->id, 1);
    return reply_error(request, made.error());
  }
  const fuse_entry_param param = entry_param_of(*entry);
  if (fuse_reply_create(request, &param, info) == -ENOENT) {
    drop_handle(session, nullptr, entry->id, info);
    session.meta.forget(entry->id, 1);
  }
}

// An open that only the chunk file's target is asked for (Delegations). Nothing: it must be made in the usual way.
std::optional<fuse_file_info> open_delegated(fuse_req_t request, InodeId id, const fuse_file_info& asked) {
  Session& session = session_of(request);
  const bool reads = (asked.flags & (O_ACCMODE | O_TRUNC)) == O_RDONLY;
  const bool control = (asked.flags & kControlOpenFlags) == kControlOpenFlags;
  if (!session.in_cluster() || !reads || control) return {};
  const auto delegation = session.delegations.find(id);
  if (!delegation || !session.layouts->add_untold(id, delegation->layout)) return {};
  fuse_file_info info = asked;
  const auto by = delegation->is_empty ? BackingTable::By::kEmpty : BackingTable::By::kDelegation;
  const Result<Access> access = session.backing.open(request, id, &info, by);
  if (!access) {
    session.tell_queue.release(id, info.flags, false);
    return {};
  }
  set_handle(session, caller_of(request, Groups::kNone), id, *access, 0, &info);
  session.tell_queue.opened(id);
  return info;
}

}  // namespace

void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  Session& session = session_of(request);
  if (std::optional<fuse_file_info> delegated = open_delegated(request, inode, *info)) {
    if (fuse_reply_open(request, &*delegated) == -ENOENT) drop_handle(session, nullptr, inode, &*delegated);
    return;
  }
  const Caller caller = caller_of(request, Groups::kAll);
  const Result<OpenReply> opened = session.meta.open(caller, inode, info->flags);
  if (!opened) return reply_error(request, opened.error());
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  if (!session.kernel_strips && (info->flags & O_TRUNC) != 0) {
    (void)session.meta.strip_privileges(caller, inode, info->kill_suidgid != 0);
  }
#endif
  if (Status made = make_handle(request, caller, inode, *opened, info); !made) {
    session.meta.release(inode, info->flags);
    return reply_error(request, made.error());
  }
  if (fuse_reply_open(request, info) == -ENOENT) drop_handle(session, nullptr, inode, info);
}

void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* info) {
  Session& session = session_of(request);
  const Caller caller = caller_of(request, Groups::kAll);
  const Delegations::Question question(session.delegations);
  const Result<CreateReply> made = session.meta.create(caller, parent, name, mode, info->flags);
  changes_names(session, parent, name);
  if (made) session.delegations.take(question, made->id, *made);
  reply_create(request, caller, made, info);
}

void tmpfile(fuse_req_t request, fuse_ino_t parent, mode_t mode, fuse_file_info* info) {
  MetaService& meta = session_of(request).meta;
  const Caller caller = caller_of(request, Groups::kAll);
  reply_create(request, caller, meta.tmpfile(caller, parent, mode, info->flags), info);
}

void release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  Session& session = session_of(request);
  if (session.in_cluster()) end_locks_of_handle(session, inode, info);
  drop_handle(session, request, inode, info);
  fuse_reply_err(request, 0);
}

}  // namespace forebay::cachefs::ops
