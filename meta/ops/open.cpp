// open, create, tmpfile, release, close, fsync.
#include <fcntl.h>
#include <unistd.h>

#include "core/log.h"
#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {
namespace {

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

// What its target has of a file that was just made.
ChunkState state_of_new(const CachingFileRequest& request) { return {.mtime0 = request.version, .complete = true}; }

}  // namespace

Result<OpenReply> MetaServer::open(const Caller& caller, InodeId id, int flags) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  if (inode->is_directory()) return fail(EISDIR);
  if (!inode->is_file()) return fail(EINVAL);
  if (writes(flags)) {
    // The kernel has checked the mode; the outside may know better (read-only, immutable, root squashed).
    ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
    const ActAs caller_rights(caller);
    if (::faccessat(fd->get(), "", W_OK, AT_EMPTY_PATH | AT_EACCESS) != 0) return fail_errno();
  }
  RETURN_IF_ERROR(open_inode(caller, inode, flags, false));
  Status ready;
  if ((flags & O_TRUNC) != 0) {
    // Who only reads is a writer for a moment, of whom others hear.
    ready = writes(flags) ? truncate_open(inode, 0) : set_size(caller, inode, 0);
  } else if (config_.fetch.mode == FetchMode::kWhole) {
    do {
      ready = storage_.fetch_all(id, std::chrono::seconds(1));
    } while (!ready && ready.error().code == EINPROGRESS);
    if (!ready && (ready.error().code == ENOSPC || ready.error().code == EAGAIN)) ready = {};  // reads pass through
  }
  if (!ready) {
    release(id, flags);
    return Failure(std::move(ready).error());
  }
  ASSIGN_OR_RETURN(const auto layout, layout_of(caller, inode));
  return OpenReply{*layout, flush_failures(id)};
}

// What every open does: the copy is checked against the outside, and both stay within reach until release().
Status MetaServer::open_inode(const Caller& caller, const InodePtr& inode, int flags, bool created,
                              CreateReply* reply) {
  const std::lock_guard open_lock(inode->open_mutex);
  ASSIGN_OR_RETURN([[maybe_unused]] const FdPtr fd, hold_fd(inode));
  // No own change between the look and the target's note of the version: it would not be counted as ours.
  const std::lock_guard change_lock(inode->change_mutex);
  RETURN_IF_ERROR(refresh(inode));
  ASSIGN_OR_RETURN(CachingFileRequest request, describe(caller, inode, flags, created));
  if (reply != nullptr && request.created && reply->likely_empty && placement_.is_cluster()) {
    count_open(inode, flags, state_of_new(request));  // its target hears of it when it is used
    return {};
  }
  if (reply != nullptr && request.created) request.run = placement_.run_on(caller.node, request.layout);
  ChunkState state = state_of_new(request);
  if (request.run == 0) {
    ASSIGN_OR_RETURN(state, storage_.caching_file(request));
  } else {
    reply->new_file = request;
  }
  // After that: a flush in between, which finds it clean, takes the announcement back.
  if (request.lease_announced) {
    if (Status marked = mark_dirty(inode->id, true); !marked) {
      if (request.run == 0) storage_.close_file(inode->id);
      return marked;
    }
  }
  count_open(inode, flags, state);
  return {};
}

Result<CachingFileRequest> MetaServer::describe(const Caller& caller, const InodePtr& inode, int flags, bool created) {
  CachingFileRequest request;
  request.id = inode->id;
  ASSIGN_OR_RETURN(const auto layout, layout_of(caller, inode));
  request.layout = *layout;
  bool has_data = false, stored = false, unlinked = false, same = false;
  {
    const std::lock_guard lock(inode->mutex);
    request.version = version_to_cache(*inode);
    request.blocks = inode->attributes.blocks;
    request.block_size = inode->attributes.block_size;
    has_data = inode->has_data;
    stored = inode->stored;
    // Only then nothing can be on the target under its number.
    request.created = created && !stored && inode->lookups == 1;
    request.transient = inode->transient;
    request.newer = inode->dirty && inode->striped();
    unlinked = inode->unlinked;
    // Most new files are written, and then the target need not ask.
    request.lease_announced = placement_.is_cluster() && created && !unlinked && writes(flags);
    same = (has_data && request.version == inode->mtime0) || inode->names.size() < 2;
  }
  if (!same) forget_stale_names(inode);
  // Who has it open may go on after a restart. Committed with the next that is.
  if (placement_.is_cluster() && !unlinked && !created && !stored) RETURN_IF_ERROR(put_chain(inode, 0));
  // The row is there before the chunk file is: no copy without a record of it.
  if (!unlinked && !created && request.version.size > 0 && !(has_data && stored)) {
    {
      const std::lock_guard lock(inode->mutex);
      inode->has_data = true;
      if (!(inode->mtime0 == request.version)) ++inode->generation;
      inode->mtime0 = request.version;
    }
    RETURN_IF_ERROR(store_inode(inode));
  }
  ASSIGN_OR_RETURN(request.source, ref_of(inode));
  return request;
}

Validator MetaServer::version_to_cache(const Inode& inode) const {
  // "never" trusts the copy. So must who had a file open of which we did not know, when we took its last name: that has
  // changed its version, and nothing leads to it any more. Without a copy there is nothing to trust.
  const bool trust = inode.has_data && (config_.consistency.validate == Validate::kNever || inode.unlinked);
  return trust ? inode.mtime0 : inode.seen;
}

void MetaServer::count_open(const InodePtr& inode, int flags, const ChunkState& state) {
  bool first = false;
  {
    const std::lock_guard lock(inode->mutex);
    first = inode->opens++ == 0;
    if (!state.dirty) inode->outdated = false;  // it was dropped, if it was
    if (!(inode->mtime0 == state.mtime0)) {
      inode->mtime0 = state.mtime0;
      if (inode->cached && !state.complete) --cached_files_;
      if (!state.complete) inode->cached = false;
      ++inode->generation;
    }
  }
  if (writes(flags)) add_writer(inode);
  if (first) add_open_file(inode);
  used(inode);
}

// Nobody hears of what is written, but the only writer's own kernel knows. So its attributes are kept by nobody else,
// and from the second writer on by no one.
void MetaServer::add_writer(const InodePtr& inode) {
  const uint64_t session = AnswerLeases::requester();
  bool alone = false, more = false;
  {
    const std::lock_guard lock(inode->mutex);
    alone = inode->writers++ == 0;
    more = !alone && (session == 0 || inode->writing_session != session);
    inode->writing_session = alone ? session : more ? 0 : session;
  }
  if (alone) answers_.changed(attributes_answer(inode));
  if (!more) return;
  const AnswerLeases::Requester nobody(0);
  answers_.changed(attributes_answer(inode));
}

Result<Layout> MetaServer::reopen(const Caller&, InodeId id, const HandleCounts&) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  const std::lock_guard open_lock(inode->open_mutex);
  const std::lock_guard change_lock(inode->change_mutex);
  bool is_new = false;
  {
    const std::lock_guard lock(inode->mutex);
    is_new = inode->is_new && !inode->unlinked;
  }
  // Its target, which may have heard nothing of a new file, keeps what this look shows.
  RETURN_IF_ERROR(refresh(inode, is_new));
  CachingFileRequest request;
  request.id = id;
  request.transient = inode->transient;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->opens == 0 || inode->layout == nullptr) return fail(ESTALE);
    request.handles = static_cast<uint32_t>(inode->opens);
    request.layout = *inode->layout;
    request.version = version_to_cache(*inode);
    request.newer = inode->dirty && inode->striped();
    request.blocks = inode->attributes.blocks;
    request.block_size = inode->attributes.block_size;
  }
  ASSIGN_OR_RETURN(request.source, ref_of(inode));
  ASSIGN_OR_RETURN(const ChunkState state, storage_.caching_file(request));
  const std::lock_guard lock(inode->mutex);
  inode->mtime0 = state.mtime0;
  if (inode->cached && !state.complete) --cached_files_;
  inode->cached = inode->cached && state.complete;
  return request.layout;
}

Result<CreateReply> MetaServer::create(const Caller& caller, InodeId parent_id, std::string_view name_view, mode_t mode,
                                       int flags) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  ASSIGN_OR_RETURN(const FdPtr directory, directory_fd(parent));
  const std::string name(name_view);
  const AnswerLeases::Change answers(answers_, listing_answers(parent));
  NameLocks::Hold held = name_locks_.hold(parent_id, name);
  int made = -1;
  int reason = 0;
  {
    const ActWithUmask mask(caller.umask);
    const ActAs caller_rights(caller);
    made = ::openat(directory->get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
    reason = errno;
  }
  UniqueFd fd(made);
  if (!fd && (reason != EEXIST || (flags & O_EXCL) != 0)) return fail(reason);
  if (!fd) {
    // Somebody outside was faster: it is an ordinary open.
    ASSIGN_OR_RETURN(const EntryReply entry, enter_made(parent, name));
    if (entry.elsewhere) return CreateReply{entry, {}, {}, false};
    held.end();  // an open may take long
    Result<OpenReply> opened = open(caller, entry.id, flags & ~O_CREAT);
    if (opened) return CreateReply{entry, std::move(opened->layout), {}, false};
    forget(entry.id, 1);
    return Failure(std::move(opened).error());
  }
  ASSIGN_OR_RETURN(const consistency::Probe probe, external_.probe_known(fd.get()));
  ASSIGN_OR_RETURN(EntryReply entry, enter_made(parent, name, probe));
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(entry.id));
  {
    // The way to the object is known without another walk.
    const std::lock_guard lock(inode->mutex);
    if (inode->fd == nullptr) inode->fd = std::make_shared<UniqueFd>(std::move(fd));
  }
  CreateReply reply{std::move(entry), {}, {}, expect_empty(parent)};
  const Status opened = open_inode(caller, inode, flags, true, &reply);
  if (!opened) {
    forget(inode->id, 1);
    return Failure(opened.error());
  }
  const std::lock_guard lock(inode->mutex);
  inode->maybe_capable = false;  // new files have no capabilities
  inode->is_new = true;
  if (reply.valid_for > std::chrono::milliseconds::zero() && is_whole(*inode)) reply.delegated = *inode->layout;
  reply.layout = *inode->layout;
  return reply;
}

Result<CreateReply> MetaServer::tmpfile(const Caller& caller, InodeId parent_id, mode_t mode, int flags) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  ASSIGN_OR_RETURN(const FdPtr directory, directory_fd(parent));
  UniqueFd fd;
  {
    const ActWithUmask mask(caller.umask);
    const ActAs caller_rights(caller);
    // O_EXCL forbids a later link: the caller's choice, kept.
    const int how = O_TMPFILE | O_RDWR | O_CLOEXEC | (flags & O_EXCL);
    fd.reset(::open(consistency::proc_path(directory->get()).c_str(), how, mode));
    if (!fd) return fail_errno();
  }
  ASSIGN_OR_RETURN(const consistency::Probe probe, external_.probe_fd(fd.get()));
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.intern(nullptr, "", probe, 1));
  {
    const std::lock_guard lock(inode->mutex);
    inode->fd = std::make_shared<UniqueFd>(std::move(fd));
    inode->unlinked = true;
  }
  take_over(inode, probe, inode->changes);
  RETURN_IF_ERROR(open_inode(caller, inode, flags, true));
  ASSIGN_OR_RETURN(const auto layout, layout_of(caller, inode));
  return CreateReply{entry_of(inode), *layout, {}, false};
}

void MetaServer::release(InodeId id, int flags) {
  const Released one{id, flags};
  release_many({&one, 1});
}

void MetaServer::release_many(std::span<const Released> all) {
  std::vector<std::pair<InodePtr, int>> released;
  std::vector<InodeId> closed;
  for (const Released& each : all) {
    const InodePtr inode = inodes_.find(each.id);
    if (inode == nullptr) continue;
    if (!each.told) {
      used(inode);
      continue;
    }
    released.emplace_back(inode, each.flags);
    closed.push_back(each.id);
  }
  // Before the last of them counts as closed: from then on the copy may be dropped.
  storage_.close_files(closed);
  std::vector<InodePtr> last, maybe_clean;
  for (const auto& [inode, flags] : released) {
    if (!end_open(inode, flags)) continue;
    last.push_back(inode);
    const std::lock_guard lock(inode->mutex);
    if (inode->dirty && !inode->unlinked) maybe_clean.push_back(inode);  // open for writing, and not written
  }
  settle_clean(maybe_clean);
  for (const InodePtr& inode : last) closed_last(inode);
}

bool MetaServer::expect_empty(const InodePtr& directory) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(directory->mutex);
  return directory->empty_files.expect(now);
}

void MetaServer::found_empty(const InodePtr& inode, bool empty) {
  InodePtr directory;
  {
    const std::lock_guard lock(inode->mutex);
    if (!std::exchange(inode->is_new, false) || inode->names.empty()) return;
    directory = inode->names.front().parent;
  }
  const std::lock_guard lock(directory->mutex);
  directory->empty_files.found(empty);
}

bool MetaServer::end_open(const InodePtr& inode, int flags) {
  const std::lock_guard open_lock(inode->open_mutex);
  {
    const std::lock_guard lock(inode->mutex);
    if (writes(flags)) --inode->writers;
    if (--inode->opens > 0) return false;
  }
  remove_open_file(inode->id);
  return true;
}

void MetaServer::closed_last(const InodePtr& inode) {
  bool discard = false, drop_copy = false;
  {
    const std::lock_guard open_lock(inode->open_mutex);
    const std::lock_guard lock(inode->mutex);
    if (inode->opens > 0) return;  // again: the next one who closes it comes here
    discard = inode->unlinked && inode->lookups == 0;
    drop_copy = inode->drop_on_release && !inode->dirty && !inode->unlinked;
    inode->drop_on_release = false;
    if (!inode->names.empty()) inode->fd.reset();
  }
  if (discard) {
    discard_copy(inode);
  } else if (drop_copy) {
    (void)drop(inode->id, UINT64_MAX);
  }
}

Status MetaServer::close(InodeId id) {
  if (config_.flush.policy != FlushPolicy::kOnClose) return {};
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  return flush_inode(inode);
}

Status MetaServer::fsync(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  RETURN_IF_ERROR(storage_.sync(id));
  {
    const std::lock_guard lock(inode->mutex);
    if ((!inode->dirty && !inode->is_new) || inode->unlinked) return {};
  }
  // The name must be on disk outside as well, or the data would belong to nothing after a power cut.
  ASSIGN_OR_RETURN(const FdPtr fd, path_fd(inode));
  if (Result<UniqueFd> outside = consistency::ExternalTree::reopen(fd->get(), O_RDONLY); outside) {
    if (::fsync(outside->get()) != 0) return fail_errno();
  }
  return store_->sync();
}

uint64_t MetaServer::flush_failures(InodeId id) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return 0;
  const std::lock_guard lock(inode->mutex);
  return inode->flush_failures;
}

Error MetaServer::last_flush_error(InodeId id) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return {0, {}};
  const std::lock_guard lock(inode->mutex);
  return inode->last_flush_error;
}

}  // namespace forebay::meta
